import { type Algorithm, PURPOSE_OPERATIONS } from '../algorithms/registry.ts';
import type { CryptoAct } from '../crypto-policy/crypto-policy.ts';
import type { PolicyVerdicts } from '../crypto-policy/policy-verdicts.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import { KEY_STATE_ALLOWS, PROCESSING, VERSION_STATE_ALLOWS } from './operations.ts';
import type { CryptoOperation } from '../algorithms/crypto-operation.ts';

/**
 * Checks that the purpose, the state and the expiry of a key allow an operation.
 *
 * @throws KmsError `BAD_REQUEST` when the key was not made for it, `KEY_STATE_INVALID` when its state forbids it,
 *   `KEY_USAGE_EXCEEDED` when the key has expired and the operation would protect something new.
 */
export function admitKey(key: KeyRecord, operation: CryptoOperation, now: number): void {
  if (!KEY_STATE_ALLOWS[key.state].has(operation)) {
    throw new KmsError('KEY_STATE_INVALID', `The key is ${key.state}: ${operation} is not possible.`, {
      details: { state: key.state, operation },
    });
  }
  if (!PURPOSE_OPERATIONS[key.purpose].includes(operation)) {
    throw new KmsError(
      'BAD_REQUEST',
      `A key with the algorithm ${key.algorithm} and the purpose ${key.purpose} cannot ${operation}.`,
      {
        details: { issues: [{ path: 'keyId', reason: `the key's purpose does not include ${operation}` }] },
      },
    );
  }
  const expiresAt = key.usageLimits.expiresAt;
  if (expiresAt !== null && now >= expiresAt.getTime() && !KEY_STATE_ALLOWS.suspended.has(operation)) {
    throw new KmsError('KEY_USAGE_EXCEEDED', `The key has expired: ${operation} is no longer possible.`, {
      details: { expiresAt: expiresAt.toISOString() },
    });
  }
}

/**
 * Checks that the state of a version allows an operation.
 *
 * @throws KmsError `KEY_STATE_INVALID` naming the version and its state.
 */
export function admitVersion(version: KeyVersionRecord, operation: CryptoOperation): void {
  if (VERSION_STATE_ALLOWS[version.state].has(operation)) return;
  throw new KmsError(
    'KEY_STATE_INVALID',
    `Version ${version.version} of the key is ${version.state}: ${operation} is not possible.`,
    {
      details: { state: version.state, version: version.version, operation },
    },
  );
}

/** Refuses algorithms that are not approved, for a service that must run in FIPS mode. */
function requireApproved(algorithm: Algorithm): void {
  if (algorithm.fipsApproved) return;
  throw badRequest('algorithm', `${algorithm.standardName} is not approved for FIPS mode, in which this service runs`);
}

/**
 * As {@link requireApproved}, for the use of a key that exists.
 *
 * @param legacyRead whether what such a key protected earlier may still be read, to protect it by another
 */
export function requireApprovedUse(algorithm: Algorithm, operation: CryptoOperation, legacyRead: boolean): void {
  if (!(legacyRead && PROCESSING.has(operation))) requireApproved(algorithm);
}

/** What a service says about algorithms beside the registry. */
interface AlgorithmRules {
  readonly requireFips: boolean;
  readonly cryptoPolicy?: PolicyVerdicts | undefined;
}

/**
 * Checks that key material of an algorithm may be made or taken in.
 *
 * @throws KmsError `BAD_REQUEST` in FIPS mode for what is not approved, `FORBIDDEN` for what the crypto policy refuses
 */
export function requireCreatable(
  { requireFips, cryptoPolicy }: AlgorithmRules,
  algorithm: Algorithm,
  clock: () => number,
): void {
  if (requireFips) requireApproved(algorithm);
  cryptoPolicy?.require(algorithm, 'create', clock);
}

/** What an operation is to a crypto policy. */
export function actOf(operation: CryptoOperation): CryptoAct {
  return PROCESSING.has(operation) ? 'process' : 'protect';
}
