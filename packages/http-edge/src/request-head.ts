import type { IncomingMessage } from 'node:http';

/** The head of a request, and the connection that it came by: all that is looked at of a request beside its body. */
export type RequestHead = Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'socket'> & {
  /** Names and values in turns, as they were sent; absent where nobody kept them. */
  readonly rawHeaders?: readonly string[] | undefined;
};
