import { createSecretKey, type KeyObject } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import type { StoredRetiredKey } from '../model/record-fields.ts';
import { type DerivationLabel, deriveKey } from './derive.ts';
import type { MasterKeyChain, RetiredMasterKey } from './master-key-chain.ts';
import { openBytes, sealBytes } from './sealed-json.ts';
import type { TenantMasterKey } from './tenant-master-key.ts';

/**
 * What is under a master key for a day at most, and out of reach of re-sealing: answers that are kept for repeated calls, whose
 * requests the service does not know, and import tokens, which their clients hold. The order never changes.
 */
const LASTING_USES = [
  'qnsp-kms/v2/idempotency-answer',
  'qnsp-kms/v1/idempotency-fingerprint',
  'qnsp-kms/v1/import-token',
] as const satisfies readonly DerivationLabel[];

const KEY_BYTES = 32;
const USE = 'qnsp-kms/v1/retired-master-key';
/** The day, and an hour for what a node made that was late to hear of the rotation. */
const NEEDED_MS = 25 * 60 * 60 * 1000;

/** Seals what is to be left of a version that is about to be destroyed, under the current one. */
export function retireMasterKey(chain: MasterKeyChain, key: TenantMasterKey, now: Date): StoredRetiredKey {
  const keys = LASTING_USES.map((use) => deriveKey(key.key, use));
  return sealed(chain, key.version, now.getTime() + NEEDED_MS, keys);
}

/** Seals what is left of a version under the current one, instead of the one that it was sealed under. */
export function resealRetired(chain: MasterKeyChain, stored: StoredRetiredKey): StoredRetiredKey {
  const opened = openRetired(chain, stored);
  if (opened === undefined)
    throw new KmsError('INTERNAL_ERROR', 'What is left of an earlier master key cannot be opened.');
  return sealed(chain, stored.version, stored.until, [...opened.keys.values()]);
}

/** Opens what {@link retireMasterKey} left; `undefined` where the chain does not have the version that it is sealed under. */
export function openRetired(chain: MasterKeyChain, stored: StoredRetiredKey): RetiredMasterKey | undefined {
  const bytes = Buffer.from(stored.sealed, 'base64');
  if (bytes.length < 4 || !chain.has(bytes.readUInt32BE(0))) return undefined;
  const opened = openBytes(chain, USE, [stored.version, stored.until], bytes);
  try {
    const keys = LASTING_USES.map(
      (use, index) => [use, createSecretKey(opened.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES))] as const,
    );
    return { version: stored.version, keys: new Map(keys) };
  } finally {
    opened.fill(0);
  }
}

function sealed(chain: MasterKeyChain, version: number, until: number, keys: readonly KeyObject[]): StoredRetiredKey {
  const parts = keys.map((key) => key.export());
  const plaintext = Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  try {
    return { version, until, sealed: sealBytes(chain, USE, [version, until], plaintext).toString('base64') };
  } finally {
    plaintext.fill(0);
  }
}
