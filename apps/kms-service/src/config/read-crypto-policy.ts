import { readFileSync } from 'node:fs';
import { KmsError } from '@qnsp/kms-core';
import { type CryptoPolicy, readCryptoPolicy } from '@qnsp/kms-core/algorithms';
import type { Variables } from './variables.ts';

const VARIABLE = 'KMS_CRYPTO_POLICY_FILE';

/** The crypto policy in the file that `KMS_CRYPTO_POLICY_FILE` names; what is wrong with it is a problem of that variable. */
export function readPolicyFile(env: Variables): CryptoPolicy | undefined {
  const path = env.text(VARIABLE);
  if (path === undefined) return undefined;
  const problem = (reason: string): undefined => {
    env.problem(VARIABLE, `${path} ${reason}`);
  };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return problem(`cannot be read (${error instanceof Error ? error.message : 'unknown reason'})`);
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return problem(`is not JSON (${error.message})`);
  }
  try {
    return readCryptoPolicy(document);
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    return problem(`is no crypto policy: ${error.message}`);
  }
}
