import { NONCE_BYTES, openAead, randomNonce, sealAead } from '../engines/aead.ts';
import { type Field, lengthPrefixed } from '../encoding/length-prefixed.ts';
import { decryptFailed } from '../envelope/header.ts';
import { type DerivationLabel, deriveKey } from './derive.ts';
import type { MasterKeyChain } from './master-key-chain.ts';
import type { TenantMasterKey } from './tenant-master-key.ts';

/** What sealed JSON is for; each use has a key of its own. */
export type SealedJsonUse = Extract<
  DerivationLabel,
  'qnsp-kms/v2/idempotency-answer' | 'qnsp-kms/v1/import-token' | 'qnsp-kms/v1/list-cursor'
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
  const tmk = chain.current;
  const head = Buffer.alloc(4);
  head.writeUInt32BE(tmk.version);
  const nonce = randomNonce(NONCE_BYTES);
  const plaintext = Buffer.from(JSON.stringify(value ?? null), 'utf8');
  return Buffer.concat([
    head,
    nonce,
    ...sealAead('aes-256-gcm', deriveKey(tmk.key, use), nonce, [binding(tmk, use, boundTo)], plaintext),
  ]);
}

/** Opens what {@link sealJson} made for the same use and binding. Throws `DECRYPT_FAILED` for anything else. */
export function openJson(
  chain: MasterKeyChain,
  use: SealedJsonUse,
  boundTo: readonly Field[],
  sealed: Uint8Array,
): unknown {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < 4 || !chain.has(bytes.readUInt32BE(0))) throw decryptFailed();
  const tmk = chain.version(bytes.readUInt32BE(0));
  const nonce = bytes.subarray(4, 4 + NONCE_BYTES);
  const plaintext = openAead('aes-256-gcm', deriveKey(tmk.key, use), nonce, bytes.subarray(4 + NONCE_BYTES), [
    binding(tmk, use, boundTo),
  ]);
  return JSON.parse(plaintext.toString('utf8'));
}

function binding(tmk: TenantMasterKey, use: SealedJsonUse, boundTo: readonly Field[]): Buffer {
  return lengthPrefixed([use, tmk.tenantId, ...boundTo]);
}
