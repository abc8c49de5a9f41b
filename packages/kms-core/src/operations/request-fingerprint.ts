import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type Field, lengthPrefixed } from '../encoding/length-prefixed.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import { deriveKey } from '../hierarchy/derive.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { TenantId } from '../model/identifiers.ts';

const USE = 'qnsp-kms/v1/idempotency-fingerprint';
const VERSION_BYTES = 4;
const STORED_BYTES = VERSION_BYTES + 32;

/**
 * What is stored of a request that runs once: `tmkVersion(4, big-endian) ‖ HMAC-SHA-256(32)`, under a key derived from
 * the tenant's master key. Requests are small and often easy to guess: somebody who reads the database must not be able
 * to try guesses.
 *
 * @param request what the request is, and the idempotency key that it came under: no two rows reveal that their
 * requests are alike
 */
export function fingerprintToStore(chain: MasterKeyChain, request: readonly Field[]): Buffer {
  const { version, key, tenantId } = chain.current;
  return under(version, deriveKey(key, USE), tenantId, request);
}

/**
 * Whether a stored fingerprint is of this request, whatever version of the master key it was made under; `undefined` if
 * that is unknown, because it is not of this format or what it was made under is gone.
 *
 * @throws NewerMasterKey for one under a version after the newest one of the chain
 */
export function isFingerprintOf(
  chain: MasterKeyChain,
  stored: Uint8Array,
  request: readonly Field[],
): boolean | undefined {
  if (stored.length !== STORED_BYTES) return undefined;
  const version = Buffer.from(stored.buffer, stored.byteOffset, VERSION_BYTES).readUInt32BE();
  const key = chain.derived(version, USE);
  if (key !== undefined) return timingSafeEqual(stored, under(version, key, chain.current.tenantId, request));
  if (chain.isBehind(version))
    throw new NewerMasterKey('CONFLICT', 'The answer is under a master key that this process does not have.');
  return undefined;
}

function under(tmkVersion: number, key: KeyObject, tenantId: TenantId, request: readonly Field[]): Buffer {
  const version = Buffer.alloc(VERSION_BYTES);
  version.writeUInt32BE(tmkVersion);
  return Buffer.concat([
    version,
    createHmac('sha256', key)
      .update(lengthPrefixed([USE, tenantId, ...request]))
      .digest(),
  ]);
}
