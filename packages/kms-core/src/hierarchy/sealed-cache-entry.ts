import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { Xaes256Gcm } from '../engines/xaes-256-gcm.ts';
import { decryptFailed } from '../envelope/header.ts';
import type { KeyId } from '../model/identifiers.ts';
import { deriveKey } from './derive.ts';
import type { MasterKeyChain } from './master-key-chain.ts';
import type { TenantMasterKey } from './tenant-master-key.ts';

const VERSION_BYTES = 4;
const LABEL = 'qnsp-kms/v1/cache-entry';

/**
 * The cipher of each master key, set up once. There are many entries, so it is one whose nonces may be random for any
 * number of messages.
 */
const ciphers = new WeakMap<TenantMasterKey, Xaes256Gcm>();

/**
 * Seals an entry of the shared cache with XAES-256-GCM under a key derived from the tenant's master key, bound to the
 * tenant and the key that it is about: `tmkVersion(4, big-endian) ‖ nonce(24) ‖ body ‖ tag(16)`.
 */
export function sealCacheEntry(chain: MasterKeyChain, keyId: KeyId, plaintext: Uint8Array): Buffer {
  const tmk = chain.current;
  const head = Buffer.alloc(VERSION_BYTES);
  head.writeUInt32BE(tmk.version);
  return cipherOf(tmk).seal(head, [binding(tmk, keyId)], plaintext);
}

/**
 * Whether an entry says that it is under the master key before those of the chain, or the one after: the master key is being rotated, and
 * either that was destroyed or another node is ahead of this one.
 */
export function isOfAnotherMasterKey(chain: MasterKeyChain, sealed: Uint8Array): boolean {
  if (sealed.length < VERSION_BYTES) return false;
  const version = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength).readUInt32BE(0);
  return !chain.has(version) && version >= 1 && version <= chain.current.version + 1;
}

/** Opens what {@link sealCacheEntry} made for the same tenant and key. Throws `DECRYPT_FAILED` for anything else. */
export function openCacheEntry(chain: MasterKeyChain, keyId: KeyId, sealed: Uint8Array): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < VERSION_BYTES || !chain.has(bytes.readUInt32BE(0))) throw decryptFailed();
  const tmk = chain.version(bytes.readUInt32BE(0));
  return cipherOf(tmk).open(bytes.subarray(VERSION_BYTES), [binding(tmk, keyId)]);
}

function cipherOf(tmk: TenantMasterKey): Xaes256Gcm {
  const cipher = ciphers.get(tmk) ?? new Xaes256Gcm(deriveKey(tmk.key, LABEL));
  ciphers.set(tmk, cipher);
  return cipher;
}

function binding(tmk: TenantMasterKey, keyId: KeyId): Buffer {
  return lengthPrefixed([LABEL, tmk.tenantId, keyId, tmk.version]);
}
