import { readFileSync } from 'node:fs';
import { ConfigurationError } from './configuration-error.ts';

/** The content of a PEM file that a variable names. Throws `ConfigurationError` when it can not be read. */
export function readCertificate(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigurationError([
      { variable, reason: `${path} can not be read (${cause instanceof Error ? cause.message : 'unknown reason'})` },
    ]);
  }
}
