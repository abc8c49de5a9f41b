import { readFileSync } from 'node:fs';
import { InvalidIssuers, publicKeysIn, readTrustedIssuers, type TrustedIssuer } from '@qnsp/credentials-jwt';
import type { Variables } from './variables.ts';

const VARIABLE = 'KMS_JWT_ISSUERS_JSON';

/** Reads the issuers whose tokens are taken. A file of keys has to be there; whether an issuer answers is seen when it is needed. */
export function readJwtIssuers(env: Variables): readonly TrustedIssuer[] {
  const text = env.secret(VARIABLE);
  if (text === undefined) return [];
  try {
    const issuers = readTrustedIssuers(text);
    for (const { issuer, keys } of issuers) if (keys.kind === 'file') checkFile(issuer, keys.path);
    return issuers;
  } catch (error) {
    if (!(error instanceof InvalidIssuers)) throw error;
    env.problem(VARIABLE, error.message);
    return [];
  }
}

function checkFile(issuer: string, path: string): void {
  try {
    publicKeysIn(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown reason';
    throw new InvalidIssuers(`the keys of ${issuer} cannot be read from ${path} (${why})`);
  }
}
