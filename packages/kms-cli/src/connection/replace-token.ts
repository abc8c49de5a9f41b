import { readFile, realpath } from 'node:fs/promises';
import type { CreatedApiToken } from '@qnsp/kms-client';
import { writeAtomically } from '@qnsp/kms-client/node';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import type { StoredToken } from './find-connection.ts';

/** Puts a token that was just made in place of the one in a file. */
type TokenReplacement = (made: Pick<CreatedApiToken, 'token' | 'awsCredentials'>) => Promise<void>;

/**
 * Gets ready to replace a token in its file, whole or not at all, and on the disk when it is done. Whether that can be done is tried
 * at once, with what is in the file now: a new token that cannot be kept would be lost.
 *
 * @throws CommandError when the file cannot be replaced.
 */
export async function tokenReplacement({ kind, path }: StoredToken): Promise<TokenReplacement> {
  // The file itself, not a link to it.
  const file = await realpath(path);
  const content = await readFile(file, 'utf8');
  const replace = (text: string) => writeAtomically(file, true, (opened) => opened.writeFile(text));
  try {
    await replace(content);
  } catch (cause) {
    throw new CommandError(
      EXIT.output,
      `${path} holds the token and cannot be replaced, so nothing was done: make its directory writable, or name a --token-file.`,
      { cause },
    );
  }
  return (made) => replace(kind === 'token-file' ? `${made.token}\n` : withToken(content, made));
}

/** The content of a `client.json` with another token, and the access key of that where the file has one. */
function withToken(content: string, { token, awsCredentials }: Parameters<TokenReplacement>[0]): string {
  // It was read as such a file when the connection was found.
  const { aws, ...client } = JSON.parse(content) as Readonly<Record<string, unknown>>;
  const key = typeof aws === 'object' && awsCredentials !== undefined ? { aws: { ...aws, ...awsCredentials } } : {};
  return `${JSON.stringify({ ...client, apiToken: token, ...key }, undefined, 2)}\n`;
}
