import { createHmac, timingSafeEqual } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import type { TenantRecord, UnsignedTenantRecord } from '../model/tenant.ts';
import { deriveKey } from './derive.ts';
import type { MasterKeyChain } from './master-key-chain.ts';
import { encodeTenantRecord } from './record-encoding.ts';
import {
  formatOfEnd,
  formatToSign,
  isEmpty,
  NEWEST_FORMAT,
  type RecordFormat,
  requireKnown,
} from './record-formats.ts';

/**
 * Decides which stored records of tenants are authentic. The key comes from the service's own master key, because that of
 * the tenant is destroyed by a crypto-shred, and the record must prove afterwards that the tenant was shredded.
 */
export class TenantAuthority {
  readonly #chain: MasterKeyChain;

  /** @param chain the master keys of the service itself */
  constructor(chain: MasterKeyChain) {
    this.#chain = chain;
  }

  /** Adds the MAC; leaves the record without one while nodes may run that would drop it. */
  sign(record: UnsignedTenantRecord & Partial<Pick<TenantRecord, 'mac'>>): TenantRecord {
    return this.#signAs(formatToSign(this.#chain.formats, record.mac, record.fields), record);
  }

  /** Like {@link sign}, for a tenant that is being shredded. Never refuses, whatever somebody may have written into its record. */
  signShredded(record: TenantRecord & { readonly state: 'shredded' }): TenantRecord {
    return this.#signAs(formatOfEnd(this.#chain.formats, record.mac), record);
  }

  #signAs(format: RecordFormat, record: UnsignedTenantRecord): TenantRecord {
    if (format === 1) return { ...record, mac: null };
    const { version } = this.#chain.current;
    return { ...record, mac: { format, tmkVersion: version, tag: this.#mac(version, record) } };
  }

  /**
   * Checks the MAC of a stored record.
   *
   * @param mayLackMac whether the tenant may be one that was made before records of tenants had a MAC
   * @throws KmsError `INTERNAL_ERROR` for a record that the KMS did not write, and for one with a critical field that this
   *   release does not know.
   */
  verify(record: TenantRecord, mayLackMac: boolean): void {
    if (record.mac === null ? mayLackMac && isEmpty(record.fields) : this.#isAuthentic(record, record.mac)) {
      requireKnown('tenant', record.fields, this.#chain.formats.known.tenant);
      return;
    }
    throw new KmsError('INTERNAL_ERROR', 'The stored record of the tenant failed its integrity check.', {
      cause: new Error(`record MAC mismatch: tenant ${record.tenantId}`),
    });
  }

  #isAuthentic(record: TenantRecord, { format, tmkVersion, tag }: NonNullable<TenantRecord['mac']>): boolean {
    if (format !== NEWEST_FORMAT) return false;
    const expected = this.#mac(tmkVersion, record);
    return tag.length === expected.length && timingSafeEqual(tag, expected);
  }

  #mac(tmkVersion: number, record: UnsignedTenantRecord): Buffer {
    const key = deriveKey(this.#chain.version(tmkVersion).key, 'qnsp-kms/v1/tenant-record-mac');
    return createHmac('sha256', key).update(encodeTenantRecord(record)).digest();
  }
}
