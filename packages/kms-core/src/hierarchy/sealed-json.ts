import { NONCE_BYTES, openAead, randomNonce, sealAead } from '../engines/aead.ts';
import { type Field, lengthPrefixed } from '../encoding/length-prefixed.ts';
import { decryptFailed } from '../envelope/header.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import { type DerivationLabel, deriveKey } from './derive.ts';
import type { MasterKeyChain } from './master-key-chain.ts';

/** What sealed JSON is for; each use has a key of its own. */
export type SealedJsonUse = Extract<
  DerivationLabel,
  | 'qnsp-kms/v2/idempotency-answer'
  | 'qnsp-kms/v1/import-token'
  | 'qnsp-kms/v1/list-cursor'
  | 'qnsp-kms/v1/retired-master-key'
>;

/**
 * Seals a JSON value with AES-256-GCM under a key derived from the tenant's master key for this use, bound to what it is
 * for: `tmkVersion(4, big-endian) ‖ nonce(12) ‖ body ‖ tag(16)`.
 */
export function sealJson(
  chain: MasterKeyChain,
  use: SealedJsonUse,
  boundTo: readonly Field[],
  value: unknown,
): Uint8Array {
  return sealBytes(chain, use, boundTo, Buffer.from(JSON.stringify(value ?? null), 'utf8'));
}

/** Opens what {@link sealJson} made for the same use and binding. Throws `DECRYPT_FAILED` for anything else. */
export function openJson(
  chain: MasterKeyChain,
  use: SealedJsonUse,
  boundTo: readonly Field[],
  sealed: Uint8Array,
): unknown {
  return JSON.parse(openBytes(chain, use, boundTo, sealed).toString('utf8'));
}

/** Seals bytes in the same way. */
export function sealBytes(
  chain: MasterKeyChain,
  use: SealedJsonUse,
  boundTo: readonly Field[],
  plaintext: Uint8Array,
): Buffer {
  const tmk = chain.current;
  const head = Buffer.alloc(4);
  head.writeUInt32BE(tmk.version);
  const nonce = randomNonce(NONCE_BYTES);
  const key = deriveKey(tmk.key, use);
  return Buffer.concat([
    head,
    nonce,
    ...sealAead('aes-256-gcm', key, nonce, [binding(chain, use, boundTo)], plaintext),
  ]);
}

/**
 * Opens what {@link sealBytes} made, even under a version of the master key of which only the key for this use is left. Throws
 * `DECRYPT_FAILED` for anything else, as a {@link NewerMasterKey} where it names a version after the newest one of the chain.
 */
export function openBytes(
  chain: MasterKeyChain,
  use: SealedJsonUse,
  boundTo: readonly Field[],
  sealed: Uint8Array,
): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < 4) throw decryptFailed();
  const version = bytes.readUInt32BE(0);
  const key = chain.derived(version, use);
  if (key === undefined) {
    const failure = decryptFailed();
    throw chain.isBehind(version) ? new NewerMasterKey(failure.code, failure.message) : failure;
  }
  const nonce = bytes.subarray(4, 4 + NONCE_BYTES);
  return openAead('aes-256-gcm', key, nonce, bytes.subarray(4 + NONCE_BYTES), [binding(chain, use, boundTo)]);
}

function binding(chain: MasterKeyChain, use: SealedJsonUse, boundTo: readonly Field[]): Buffer {
  return lengthPrefixed([use, chain.current.tenantId, ...boundTo]);
}
