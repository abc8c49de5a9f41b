import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ROOT_KEY_BYTES } from '@qnsp/kms-core/internal';
import type { RootRecord } from '@qnsp/kms-core/ports';
import { ConfigurationError } from './configuration-error.ts';
import { decodeRootKey } from './env.ts';
import { writeFileDurably } from './durable-file.ts';

/**
 * The root key in a file that only its owner can read, as base64; made when it is not there. For a database that has no
 * root yet.
 *
 * @throws ConfigurationError like {@link readRootKey}.
 */
export function readOrCreateRootKey(path: string): Uint8Array {
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileDurably(path, `${randomBytes(ROOT_KEY_BYTES).toString('base64')}\n`);
  }
  return readRootKey(path, []);
}

/**
 * The root key in a file, for a database that knows its roots.
 *
 * @throws ConfigurationError when the file is missing or holds something else, or when others can read it.
 */
export function readRootKey(path: string, known: readonly RootRecord[]): Uint8Array {
  if (!existsSync(path)) {
    const expected = known.map((root) => `${root.providerId} ${root.checkValue}`).join(', ');
    throw refuse(
      `${path} is missing, and only the root with the check value ${expected} can open this database: restore the file`,
    );
  }
  if ((statSync(path).mode & 0o077) !== 0) throw refuse(`others can read the root key in ${path}: run chmod 600 on it`);
  const key = decodeRootKey(readFileSync(path, 'utf8').trim());
  if (key === undefined) throw refuse(`${path} does not hold a root key (${ROOT_KEY_BYTES} bytes as base64)`);
  return key;
}

function refuse(reason: string): ConfigurationError {
  return new ConfigurationError([{ variable: 'KMS_ROOT_KEY', reason }]);
}
