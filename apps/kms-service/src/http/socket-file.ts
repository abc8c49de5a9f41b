import { chmodSync, existsSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { ConfigurationError } from '../config/configuration-error.ts';

const VARIABLE = 'KMS_LISTEN_UNIX';
/** For the owner and the group. */
const MODE = 0o660;

/**
 * Makes the place of a socket file free: what a process left behind that was killed.
 *
 * @throws ConfigurationError where it is something else, or somebody answers on it
 */
export async function freeSocketFile(path: string): Promise<void> {
  // The system would speak of permissions.
  if (!existsSync(dirname(path))) throw refuse(`the directory ${dirname(path)} does not exist: create it`);
  for (const each of [path, prepared(path)]) {
    const found = lstatSync(each, { throwIfNoEntry: false });
    if (found === undefined) continue;
    if (!found.isSocket()) throw refuse(`${each} exists and is no socket: remove it, or name another path`);
    if (!(await isAbandoned(each))) throw refuse(`another process listens on ${each}: stop it, or name another path`);
    unlinkSync(each);
  }
}

/** Removes a socket file that nobody answers on any more. */
export async function removeSocketFile(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true && (await isAbandoned(path))) unlinkSync(path);
}

/**
 * Listens on a socket file, which appears with its mode. Workers share it: the first puts it there.
 *
 * @throws ConfigurationError where the system does not allow it
 */
export async function listenOnFile(server: Server, path: string): Promise<void> {
  const before = prepared(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(refuse(`${path} cannot be listened on (${error.code})`));
    });
    server.listen(before, resolve);
  });
  try {
    chmodSync(before, MODE);
    renameSync(before, path);
  } catch (error) {
    // Another worker has done it.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

/** Its name until it may be connected to. */
function prepared(path: string): string {
  return `${path}.new`;
}

function isAbandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    // A socket that exists and refuses has no listener; anything else, such as a missing permission, does not tell.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

function refuse(reason: string): ConfigurationError {
  return new ConfigurationError([{ variable: VARIABLE, reason }]);
}
