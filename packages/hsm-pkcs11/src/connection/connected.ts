import type { Answers } from '../protocol/messages.ts';
import type { ChildConnection, TokenOpened } from './child-connection.ts';
import type { TokenPresence } from './token-presence.ts';

/** A process with its module loaded and logged in. */
export interface Connected extends TokenOpened {
  readonly connection: ChildConnection;
  readonly mechanisms: readonly number[];
  readonly presence: TokenPresence;
}

/** The outcome of a call. */
export interface Outcome {
  readonly answer: Answers[keyof Answers];
  readonly error: Error | null;
  /** Something that was looked for is not there, if the token is. */
  readonly nothingFound: boolean;
}
