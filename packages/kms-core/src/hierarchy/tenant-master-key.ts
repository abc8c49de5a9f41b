import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { NONCE_BYTES, openAead, randomNonce, sealAead } from '../engines/aead.ts';
import type { TenantId } from '../model/identifiers.ts';
import { deriveKey } from './derive.ts';
import type { RecordFormat } from './record-formats.ts';

export const TMK_BYTES = 32;

/** What sealed key material is bound to: it opens only as what it was sealed for. */
export interface SealBinding {
  readonly keyId: string;
  readonly version: number;
  readonly algorithm: string;
}

/**
 * One version of a tenant's master key: seals the material of key versions with AES-256-GCM and authenticates records
 * with HMAC-SHA-256, under keys derived from it for each use.
 */
export class TenantMasterKey {
  readonly tenantId: TenantId;
  readonly version: number;
  /** Whether its wrap says that the record of the tenant has a MAC. */
  readonly tenantHasMac: boolean;
  /** The key itself, from which further keys are derived by label. */
  readonly key: KeyObject;
  readonly #sealKey: KeyObject;
  readonly #macKey: KeyObject;

  /** @param bytes 32 bytes, which the caller wipes */
  constructor(tenantId: TenantId, version: number, bytes: Uint8Array, tenantHasMac = false) {
    if (bytes.length !== TMK_BYTES) throw new RangeError('a tenant master key has 32 bytes');
    this.tenantId = tenantId;
    this.version = version;
    this.tenantHasMac = tenantHasMac;
    this.key = createSecretKey(bytes);
    this.#sealKey = deriveKey(this.key, 'qnsp-kms/v1/tmk-seal');
    this.#macKey = deriveKey(this.key, 'qnsp-kms/v1/tmk-record-mac');
  }

  /** Seals key material for one key version. Answers `nonce(12) ‖ body ‖ tag(16)`. */
  seal(binding: SealBinding, secret: Uint8Array): Buffer {
    const nonce = randomNonce(NONCE_BYTES);
    return Buffer.concat([nonce, ...sealAead('aes-256-gcm', this.#sealKey, nonce, [this.#aad(binding)], secret)]);
  }

  /** Opens what {@link seal} made; the caller wipes it. Throws `DECRYPT_FAILED` for any other binding. */
  open(binding: SealBinding, sealed: Uint8Array): Buffer {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    return openAead('aes-256-gcm', this.#sealKey, nonce, sealed.subarray(NONCE_BYTES), [this.#aad(binding)]);
  }

  /** The MAC of an encoded record. */
  mac(encoded: Uint8Array): Buffer {
    return createHmac('sha256', this.#macKey).update(encoded).digest();
  }

  /** Whether a tag is the MAC of an encoded record, in constant time. */
  verifyMac(encoded: Uint8Array, tag: Uint8Array): boolean {
    const expected = this.mac(encoded);
    return tag.length === expected.length && timingSafeEqual(tag, expected);
  }

  #aad({ keyId, version, algorithm }: SealBinding): Buffer {
    return lengthPrefixed(['qnsp-kms/v1/sealed-key-version', this.tenantId, keyId, version, algorithm, this.version]);
  }
}

/**
 * The AAD of a tenant master key under a root: a wrap opens only for its tenant, version and provider, and only as of its
 * format.
 */
export function wrapBinding(tenantId: TenantId, version: number, providerId: string, format: RecordFormat): Buffer {
  return lengthPrefixed([`qnsp-kms/v${format}/tmk-wrap`, tenantId, version, providerId]);
}
