import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { sortedJson } from '../encoding/sorted-json.ts';
import { KmsError } from '../errors/kms-error.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import type {
  IdentityBindingRecord,
  IdentityDenialRecord,
  UnsignedIdentityBinding,
  UnsignedIdentityDenial,
} from '../access/identity-binding.ts';
import type { RecordMac } from '../model/key.ts';
import { KNOWN_BINDING_FIELDS, type KnownField, type RecordFields } from '../model/record-fields.ts';
import type { MasterKeyChain } from './master-key-chain.ts';
import { NEWEST_FORMAT, requireKnown } from './record-formats.ts';
import { encodeFields, instant } from './record-parts.ts';

/**
 * Decides which stored bindings and denials of a tenant are authentic, by its master key: what it allowed ends with a
 * crypto-shred.
 */
export class IdentityAuthority {
  readonly #chain: MasterKeyChain;

  /** @param chain the master keys of the tenant */
  constructor(chain: MasterKeyChain) {
    this.#chain = chain;
  }

  signBinding(record: UnsignedIdentityBinding): IdentityBindingRecord {
    return { ...record, mac: this.#mac(encodeBinding(record)) };
  }

  signDenial(record: UnsignedIdentityDenial): IdentityDenialRecord {
    return { ...record, mac: this.#mac(encodeDenial(record)) };
  }

  /**
   * Checks the MAC of a stored binding.
   *
   * @throws KmsError `INTERNAL_ERROR` for a record that the KMS did not write, and for one with a critical field that this
   *   release does not know.
   */
  verifyBinding(record: IdentityBindingRecord): void {
    this.#verify(`identity binding ${record.bindingId}`, record, encodeBinding(record), KNOWN_BINDING_FIELDS);
  }

  /** As {@link verifyBinding}, of a denial. */
  verifyDenial(record: IdentityDenialRecord): void {
    this.#verify(`identity denial ${record.denialId}`, record, encodeDenial(record), []);
  }

  /** The same binding with its MAC under the current master key. Throws as {@link verifyBinding}. */
  resealBinding(record: IdentityBindingRecord): IdentityBindingRecord {
    this.verifyBinding(record);
    return this.signBinding(record);
  }

  /** As {@link resealBinding}, of a denial. */
  resealDenial(record: IdentityDenialRecord): IdentityDenialRecord {
    this.verifyDenial(record);
    return this.signDenial(record);
  }

  #mac(encoded: Buffer): RecordMac {
    const { current } = this.#chain;
    return { format: NEWEST_FORMAT, tmkVersion: current.version, tag: current.mac(encoded) };
  }

  #verify(
    what: string,
    { fields, mac }: { readonly fields: RecordFields; readonly mac: RecordMac },
    encoded: Buffer,
    known: readonly KnownField[],
  ): void {
    const { format, tmkVersion, tag } = mac;
    if (this.#chain.isBehind(tmkVersion))
      throw new NewerMasterKey('INTERNAL_ERROR', `The ${what} is under a master key that this process does not have.`);
    if (
      format === NEWEST_FORMAT &&
      this.#chain.has(tmkVersion) &&
      this.#chain.version(tmkVersion).verifyMac(encoded, tag)
    ) {
      requireKnown(what, fields, known);
      return;
    }
    throw new KmsError('INTERNAL_ERROR', `The stored record of the ${what} failed its integrity check.`, {
      cause: new Error(`record MAC mismatch: ${what}`),
    });
  }
}

// As those of keys and tokens, these lists never change: a field that is new is an optional one.

function encodeBinding(record: UnsignedIdentityBinding): Buffer {
  const { permissions, keys } = record;
  return lengthPrefixed([
    'qnsp-kms/v2/identity-binding',
    record.tenantId,
    record.bindingId,
    record.issuer,
    sortedJson(record.match),
    record.foundBy,
    record.role,
    permissions.length,
    ...permissions,
    ...(keys === null ? [null] : [keys.length, ...keys]),
    instant(record.createdAt),
    record.createdBy,
    instant(record.expiresAt),
    instant(record.removedAt),
    ...encodeFields(record.fields),
  ]);
}

function encodeDenial(record: UnsignedIdentityDenial): Buffer {
  return lengthPrefixed([
    'qnsp-kms/v2/identity-denial',
    record.tenantId,
    record.denialId,
    record.issuer,
    record.claim,
    record.value,
    record.foundBy,
    instant(record.before),
    instant(record.endsAt),
    instant(record.createdAt),
    record.createdBy,
    ...encodeFields(record.fields),
  ]);
}
