import { readFileSync } from 'node:fs';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';

/** Files of TLS that a context or the environment names. */
export interface TlsFiles {
  readonly caFile?: string;
  readonly clientCertFile?: string;
  readonly clientKeyFile?: string;
  /** For a key that is encrypted. A line feed at its end is no part of it. */
  readonly clientKeyPassphraseFile?: string;
  readonly serverName?: string;
}

/** What they hold, as the client takes it; empty where none is named. */
export interface ConnectionTls {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly serverName?: string;
}

/**
 * Reads the files.
 *
 * @param by who names them, for people
 * @throws CommandError (78) for a file that cannot be read
 */
export function readTlsFiles(by: string, files: TlsFiles): ConnectionTls {
  const { caFile, clientCertFile, clientKeyFile, clientKeyPassphraseFile, serverName } = files;
  return {
    ...(caFile === undefined ? {} : { ca: read(by, caFile) }),
    ...(clientCertFile === undefined ? {} : { certificate: read(by, clientCertFile) }),
    ...(clientKeyFile === undefined ? {} : { key: read(by, clientKeyFile) }),
    ...(clientKeyPassphraseFile === undefined
      ? {}
      : { passphrase: read(by, clientKeyPassphraseFile).replace(/\r?\n$/, '') }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

function read(by: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CommandError(
      EXIT.configuration,
      `${by} names a file for TLS that cannot be read: check that ${path} exists and belongs to you.`,
      { cause },
    );
  }
}
