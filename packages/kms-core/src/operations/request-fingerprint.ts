import { createHmac, timingSafeEqual } from 'node:crypto';
import { type Field, lengthPrefixed } from '../encoding/length-prefixed.ts';
import { deriveKey } from '../hierarchy/derive.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { TenantMasterKey } from '../hierarchy/tenant-master-key.ts';

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
  return under(chain.current, request);
}

/**
 * Whether a stored fingerprint is of this request, whatever version of the master key it was made under; `undefined` if
 * that is unknown, because it is not of this format.
 */
export function isFingerprintOf(
  chain: MasterKeyChain,
  stored: Uint8Array,
  request: readonly Field[],
): boolean | undefined {
  if (stored.length !== STORED_BYTES) return undefined;
  const version = Buffer.from(stored.buffer, stored.byteOffset, VERSION_BYTES).readUInt32BE();
  if (!chain.has(version)) return undefined;
  return timingSafeEqual(stored, under(chain.version(version), request));
}

function under(tmk: TenantMasterKey, request: readonly Field[]): Buffer {
  const mac = createHmac('sha256', deriveKey(tmk.key, USE)).update(lengthPrefixed([USE, tmk.tenantId, ...request]));
  const version = Buffer.alloc(VERSION_BYTES);
  version.writeUInt32BE(tmk.version);
  return Buffer.concat([version, mac.digest()]);
}
