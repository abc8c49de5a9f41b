import { KmsError } from '../errors/kms-error.ts';
import type { KeyRecord, KeyVersionRecord, UnsignedKeyRecord, VersionMaterial } from '../model/key.ts';
import { encodeKeyRecord } from './record-encoding.ts';
import type { SealBinding, TenantMasterKey } from './tenant-master-key.ts';

/**
 * All versions of one tenant's master key, unwrapped: seals and opens the tenant's key versions and authenticates its
 * records. Everything here is computation; nothing waits for a store or a root.
 */
export class MasterKeyChain {
  readonly current: TenantMasterKey;
  readonly #byVersion: ReadonlyMap<number, TenantMasterKey>;

  constructor(keys: readonly [TenantMasterKey, ...TenantMasterKey[]]) {
    this.#byVersion = new Map(keys.map((key) => [key.version, key]));
    this.current = keys.reduce((newest, key) => (key.version > newest.version ? key : newest));
  }

  /** Whether this version of the master key is in the chain. */
  has(tmkVersion: number): boolean {
    return this.#byVersion.has(tmkVersion);
  }

  /** Adds the MAC under the current master key. */
  signRecord(record: UnsignedKeyRecord): KeyRecord {
    return { ...record, mac: { tmkVersion: this.current.version, tag: this.current.mac(encodeKeyRecord(record)) } };
  }

  /** Checks the MAC of a stored record. Throws `INTERNAL_ERROR` for a record that the KMS did not write. */
  verifyRecord(record: KeyRecord): void {
    if (this.version(record.mac.tmkVersion).verifyMac(encodeKeyRecord(record), record.mac.tag)) return;
    throw new KmsError('INTERNAL_ERROR', 'The stored record of the key failed its integrity check.', {
      cause: new Error(`record MAC mismatch: tenant ${record.tenantId}, key ${record.keyId}`),
    });
  }

  /** Seals the material of a new version. */
  sealVersion(binding: SealBinding, secret: Uint8Array): VersionMaterial {
    return { kind: 'sealed', tmkVersion: this.current.version, sealed: this.current.seal(binding, secret) };
  }

  /** Opens the material of a version; the caller wipes it. Throws `INTERNAL_ERROR` when it is not what was sealed. */
  openVersion(keyId: string, version: KeyVersionRecord): Uint8Array {
    const { material } = version;
    if (material.kind !== 'sealed') throw new KmsError('INTERNAL_ERROR', 'The version has no sealed material.');
    const key = this.version(material.tmkVersion);
    try {
      return key.open({ keyId, version: version.version, algorithm: version.algorithm }, material.sealed);
    } catch (cause) {
      throw new KmsError('INTERNAL_ERROR', 'The sealed material of the key cannot be opened.', { cause });
    }
  }

  /** One version of the master key. Throws `INTERNAL_ERROR` when the chain does not have it. */
  version(tmkVersion: number): TenantMasterKey {
    const key = this.#byVersion.get(tmkVersion);
    if (key === undefined)
      throw new KmsError('INTERNAL_ERROR', `Version ${tmkVersion} of the tenant master key is missing.`);
    return key;
  }
}
