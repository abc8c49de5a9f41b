import { NONCE_BYTES, openAead, sealAead } from '../engines/aead.ts';
import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { randomNonce } from '../engines/random-nonce.ts';
import { KmsError } from '../errors/kms-error.ts';
import { deriveKey } from './derive.ts';
import type { MasterKeyChain } from './master-key-chain.ts';
import type { TenantMasterKey } from './tenant-master-key.ts';

/**
 * Seals the stored answer of a mutating call, which may hold a new token, with AES-256-GCM under a key derived from
 * the tenant's master key: `tmkVersion(4, big-endian) ‖ nonce(12) ‖ body ‖ tag(16)`.
 */
export function sealAnswer(chain: MasterKeyChain, idempotencyKey: string, answer: unknown): Uint8Array {
  const tmk = chain.current;
  const head = Buffer.alloc(4);
  head.writeUInt32BE(tmk.version);
  const nonce = randomNonce(NONCE_BYTES);
  const plaintext = Buffer.from(JSON.stringify(answer ?? null), 'utf8');
  return Buffer.concat([head, nonce, ...sealAead('aes-256-gcm', answerKey(tmk), nonce, [binding(tmk, idempotencyKey)], plaintext)]);
}

/** Opens what {@link sealAnswer} made. Throws `INTERNAL_ERROR` when it was changed in the store. */
export function openAnswer(chain: MasterKeyChain, idempotencyKey: string, sealed: Uint8Array): unknown {
  const tmk = chain.version(Buffer.from(sealed).readUInt32BE(0));
  const nonce = sealed.subarray(4, 4 + NONCE_BYTES);
  try {
    const plaintext = openAead('aes-256-gcm', answerKey(tmk), nonce, sealed.subarray(4 + NONCE_BYTES), [binding(tmk, idempotencyKey)]);
    return JSON.parse(plaintext.toString('utf8'));
  } catch (cause) {
    throw new KmsError('INTERNAL_ERROR', 'The stored answer of this idempotency key does not open.', { cause });
  }
}

function answerKey(tmk: TenantMasterKey) {
  return deriveKey(tmk.key, 'qnsp-kms/v1/idempotency-seal');
}

function binding(tmk: TenantMasterKey, idempotencyKey: string): Buffer {
  return lengthPrefixed(['qnsp-kms/v1/idempotency-answer', tmk.tenantId, idempotencyKey]);
}
