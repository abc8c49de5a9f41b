import { KmsError } from '../errors/kms-error.ts';
import type { KeyRecord, KeyVersionRecord, RecordMac, UnsignedKeyRecord, VersionMaterial } from '../model/key.ts';
import { encodeKeyRecord } from './record-encoding.ts';
import { formatToSign, isEmpty, RECORD_FORMATS, type RecordFormats, requireKnown } from './record-formats.ts';
import type { SealBinding, TenantMasterKey } from './tenant-master-key.ts';

/**
 * All versions of one tenant's master key, unwrapped: seals and opens the tenant's key versions and authenticates its
 * records. Everything here is computation; nothing waits for a store or a root.
 */
export class MasterKeyChain {
  readonly current: TenantMasterKey;
  /** What this node does about formats of records. */
  readonly formats: RecordFormats;
  readonly #byVersion: ReadonlyMap<number, TenantMasterKey>;

  constructor(keys: readonly [TenantMasterKey, ...TenantMasterKey[]], formats = RECORD_FORMATS) {
    this.formats = formats;
    this.#byVersion = new Map(keys.map((key) => [key.version, key]));
    this.current = keys.reduce((newest, key) => (key.version > newest.version ? key : newest));
  }

  /** Whether this version of the master key is in the chain. */
  has(tmkVersion: number): boolean {
    return this.#byVersion.has(tmkVersion);
  }

  /**
   * Adds the MAC under the current master key, in the newest format.
   *
   * @param record if it is a change, with the MAC from before it: the format of a record never goes back to an older one
   */
  signRecord(record: UnsignedKeyRecord & { readonly mac?: RecordMac }): KeyRecord {
    const ofVersions = record.versions.map(({ fields }) => fields);
    const format = formatToSign(this.formats, record.mac, record.fields, ...ofVersions);
    const tag = this.current.mac(encodeKeyRecord(record, format));
    return { ...record, mac: { format, tmkVersion: this.current.version, tag } };
  }

  /**
   * Checks the MAC of a stored record. Throws `INTERNAL_ERROR` for a record that the KMS did not write, and for one with a
   * critical field that this release does not know.
   */
  verifyRecord(record: KeyRecord): void {
    if (this.#isAuthentic(record)) {
      const { known } = this.formats;
      requireKnown('key', record.fields, known.key);
      for (const { fields } of record.versions) requireKnown('key', fields, known.version);
      return;
    }
    throw new KmsError('INTERNAL_ERROR', 'The stored record of the key failed its integrity check.', {
      cause: new Error(
        `record MAC mismatch: tenant ${record.tenantId}, key ${record.keyId}, format ${record.mac.format}`,
      ),
    });
  }

  #isAuthentic(record: KeyRecord): boolean {
    const { format, tmkVersion, tag } = record.mac;
    if (format !== 1 && format !== 2) return false;
    // Fields that the format does not cover count as absent.
    if (format === 1 && !(isEmpty(record.fields) && record.versions.every(({ fields }) => isEmpty(fields))))
      return false;
    return this.version(tmkVersion).verifyMac(encodeKeyRecord(record, format), tag);
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
