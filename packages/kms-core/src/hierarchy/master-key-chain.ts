import { type KeyObject, timingSafeEqual } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import type { KeyRecord, KeyVersionRecord, RecordMac, UnsignedKeyRecord, VersionMaterial } from '../model/key.ts';
import { type DerivationLabel, deriveKey } from './derive.ts';
import { type EncodedVersions, encodeKeyRecord } from './record-encoding.ts';
import { formatToSign, isEmpty, RECORD_FORMATS, type RecordFormats, requireKnown } from './record-formats.ts';
import type { SealBinding, TenantMasterKey } from './tenant-master-key.ts';

/** What is left of a version of a master key that was destroyed: its keys for single uses, from which nothing else follows. */
export interface RetiredMasterKey {
  readonly version: number;
  readonly keys: ReadonlyMap<DerivationLabel, KeyObject>;
}

/**
 * All versions of one tenant's master key, unwrapped: seals and opens the tenant's key versions and authenticates its
 * records. Everything here is computation; nothing waits for a store or a root.
 */
export class MasterKeyChain {
  readonly current: TenantMasterKey;
  /** What this node does about formats of records. */
  readonly formats: RecordFormats;
  readonly #byVersion: ReadonlyMap<number, TenantMasterKey>;
  readonly #retired: ReadonlyMap<number, RetiredMasterKey>;

  /** @param retired what is left of versions that were destroyed */
  constructor(
    keys: readonly [TenantMasterKey, ...TenantMasterKey[]],
    formats = RECORD_FORMATS,
    retired: readonly RetiredMasterKey[] = [],
  ) {
    this.formats = formats;
    this.#retired = new Map(retired.map((key) => [key.version, key]));
    this.#byVersion = new Map(keys.map((key) => [key.version, key]));
    this.current = keys.reduce((newest, key) => (key.version > newest.version ? key : newest));
  }

  /** Whether this version of the master key is in the chain. */
  has(tmkVersion: number): boolean {
    return this.#byVersion.has(tmkVersion);
  }

  /** The versions that the chain has, ascending. */
  get versions(): readonly number[] {
    return [...this.#byVersion.keys()].sort((a, b) => a - b);
  }

  /** Whether a version is later than all of the chain: another node may have rotated the master key. */
  isBehind(tmkVersion: number): boolean {
    return tmkVersion > this.current.version;
  }

  /** Whether it has every version that a record names. */
  hasAllOf({ mac, versions }: KeyRecord): boolean {
    return (
      this.has(mac.tmkVersion) &&
      versions.every(({ material }) => material.kind !== 'sealed' || this.has(material.tmkVersion))
    );
  }

  /** The key for one use under a version of the master key, which may be all that is left of it; `undefined` where there is none. */
  derived(tmkVersion: number, use: DerivationLabel): KeyObject | undefined {
    const key = this.#byVersion.get(tmkVersion);
    return key === undefined ? this.#retired.get(tmkVersion)?.keys.get(use) : deriveKey(key.key, use);
  }

  /**
   * Adds the MAC under the current master key, in the newest format.
   *
   * @param record if it is a change, with the MAC from before it: the format of a record never goes back to an older one
   * @param encoded what {@link verifyRecord} left of the record before the change
   */
  signRecord(record: UnsignedKeyRecord & { readonly mac?: RecordMac }, encoded?: EncodedVersions): KeyRecord {
    const ofVersions = record.versions.map(({ fields }) => fields);
    const format = formatToSign(this.formats, record.mac, record.fields, ...ofVersions);
    const tag = this.current.mac(encodeKeyRecord(record, format, encoded));
    return { ...record, mac: { format, tmkVersion: this.current.version, tag } };
  }

  /**
   * Checks the MAC of a stored record. Throws `INTERNAL_ERROR` for a record that the KMS did not write, and for one with a
   * critical field that this release does not know.
   *
   * @param encoded gets its versions as they are encoded, for a change that is going to be signed
   */
  verifyRecord(record: KeyRecord, encoded?: EncodedVersions): void {
    if (this.#isAuthentic(record, encoded)) {
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

  #isAuthentic(record: KeyRecord, encoded?: EncodedVersions): boolean {
    const { format, tmkVersion, tag } = record.mac;
    if (format !== 1 && format !== 2) return false;
    // Fields that the format does not cover count as absent.
    if (format === 1 && !(isEmpty(record.fields) && record.versions.every(({ fields }) => isEmpty(fields))))
      return false;
    return this.version(tmkVersion).verifyMac(encodeKeyRecord(record, format, encoded), tag);
  }

  /** Seals the material of a new version. */
  sealVersion(binding: SealBinding, secret: Uint8Array): VersionMaterial {
    return { kind: 'sealed', tmkVersion: this.current.version, sealed: this.current.seal(binding, secret) };
  }

  /**
   * The same record under the current master key: its material sealed again, and its MAC made again. Nothing else of it changes.
   *
   * @throws KmsError as {@link verifyRecord} and {@link openVersion} for a record that is not as the KMS wrote it
   */
  resealRecord(record: KeyRecord): KeyRecord {
    this.verifyRecord(record);
    return this.signRecord({ ...record, versions: record.versions.map((version) => this.#resealed(record, version)) });
  }

  #resealed({ keyId }: KeyRecord, record: KeyVersionRecord): KeyVersionRecord {
    const { material, version, algorithm } = record;
    if (material.kind !== 'sealed' || material.tmkVersion === this.current.version) return record;
    const secret = this.openVersion(keyId, record);
    try {
      const resealed = { ...record, material: this.sealVersion({ keyId, version, algorithm }, secret) };
      // What was sealed before is gone once this is stored.
      const opened = this.openVersion(keyId, resealed);
      try {
        if (opened.length !== secret.length || !timingSafeEqual(opened, secret))
          throw new KmsError('INTERNAL_ERROR', 'The material of the key does not open as what was just sealed.');
      } finally {
        opened.fill(0);
      }
      return resealed;
    } finally {
      secret.fill(0);
    }
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

  /** One version of the master key. Throws `INTERNAL_ERROR` when the chain does not have it, as a {@link NewerMasterKey} if it is later. */
  version(tmkVersion: number): TenantMasterKey {
    const key = this.#byVersion.get(tmkVersion);
    if (key !== undefined) return key;
    const message = `Version ${tmkVersion} of the tenant master key is missing.`;
    throw this.isBehind(tmkVersion)
      ? new NewerMasterKey('INTERNAL_ERROR', message)
      : new KmsError('INTERNAL_ERROR', message);
  }
}
