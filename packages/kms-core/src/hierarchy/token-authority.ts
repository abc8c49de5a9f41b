import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import type { ApiTokenRecord, UnsignedApiTokenRecord } from '../access/api-token.ts';
import { SYSTEM_TENANT, uuidToBytes } from '../model/identifiers.ts';
import { fieldOf, TOKEN_ACCESS_KEY_SALT } from '../model/record-fields.ts';
import { deriveKey } from './derive.ts';
import type { KeyHierarchy } from './key-hierarchy.ts';
import type { MasterKeyChain } from './master-key-chain.ts';
import { encodeTokenRecord } from './record-encoding.ts';
import {
  formatOfEnd,
  formatToSign,
  isEmpty,
  NEWEST_FORMAT,
  type RecordFormat,
  requireKnown,
} from './record-formats.ts';

/**
 * Decides which stored records of API tokens are authentic. Both keys come from the service's own master key: somebody
 * who has only the database can neither test a guess of a token nor change what a token may do.
 */
export class TokenAuthority {
  readonly #pepper: KeyObject;
  readonly #legacyPepper: KeyObject;
  readonly #chain: MasterKeyChain;

  constructor(chain: MasterKeyChain) {
    this.#chain = chain;
    // Always the first version: a token is hashed once and must be found after the master key was rotated.
    this.#pepper = deriveKey(chain.version(1).key, 'qnsp-kms/v2/token-pepper');
    this.#legacyPepper = deriveKey(chain.version(1).key, 'qnsp-kms/v1/token-pepper');
  }

  /** Whether new records may have optional fields: not while nodes may run that could not read them. */
  get takesFields(): boolean {
    return this.#chain.formats.written === NEWEST_FORMAT;
  }

  /** HMAC-SHA-256 of a token, 32 bytes: what its record is found by. */
  hash(token: string): Buffer {
    return createHmac('sha256', this.#pepper).update(token).digest();
  }

  /** The hash of tokens that were made before records of tokens had a MAC. */
  legacyHash(token: string): Uint8Array {
    return createHmac('sha256', this.#legacyPepper).update(token).digest();
  }

  /**
   * The secret of the access key of a token, which is in no record: 43 characters of base64url in ASCII, which the caller wipes. `undefined`
   * for a token that has no access key.
   */
  accessKeySecret({ tokenId, fields }: Pick<ApiTokenRecord, 'tokenId' | 'fields'>): Buffer | undefined {
    const salt = fieldOf(fields, TOKEN_ACCESS_KEY_SALT);
    if (salt === undefined) return undefined;
    // Always the first version, as for the pepper: the secret was shown once and stays the same.
    const key = deriveKey(this.#chain.version(1).key, 'qnsp-kms/v1/sigv4-secret');
    const secret = createHmac('sha256', key).update(uuidToBytes(tokenId)).update(salt).digest();
    try {
      return Buffer.from(secret.toString('base64url'), 'latin1');
    } finally {
      secret.fill(0);
    }
  }

  /**
   * Adds the MAC under the current master key of the service, in the newest format.
   *
   * @param record if it is a change, with the MAC from before it: the format of a record never goes back to an older one
   */
  sign(record: UnsignedApiTokenRecord & Partial<Pick<ApiTokenRecord, 'mac'>>): ApiTokenRecord {
    return this.#signAs(formatToSign(this.#chain.formats, record.mac, record.fields), record);
  }

  /** Like {@link sign}, for a token that is being revoked. Never refuses, whatever somebody may have written into its record. */
  signRevoked(record: ApiTokenRecord & { readonly revokedAt: Date }): ApiTokenRecord {
    return this.#signAs(formatOfEnd(this.#chain.formats, record.mac), record);
  }

  #signAs(format: RecordFormat, record: UnsignedApiTokenRecord): ApiTokenRecord {
    const { version } = this.#chain.current;
    return { ...record, mac: { format, tmkVersion: version, tag: this.#mac(format, version, record) } };
  }

  /**
   * Checks the MAC of a stored record. Only a record that is found by its legacy hash may have none: an outsider cannot
   * give that hash to a newer token.
   *
   * @throws KmsError `INTERNAL_ERROR` for a record that the KMS did not write, and for one with a critical field that this
   *   release does not know.
   */
  verify(record: ApiTokenRecord, foundBy: 'hash' | 'legacy-hash'): void {
    const { mac } = record;
    const isAuthentic =
      mac === null ? foundBy === 'legacy-hash' && isEmpty(record.fields) : this.#isAuthentic(record, mac);
    if (isAuthentic) {
      requireKnown('API token', record.fields, this.#chain.formats.known.token);
      return;
    }
    throw new KmsError('INTERNAL_ERROR', 'The stored record of the API token failed its integrity check.', {
      cause: new Error(`record MAC mismatch: token ${record.tokenId}`),
    });
  }

  /**
   * Whether the KMS wrote a record, which may have fields that this release does not know, or be from before records had a MAC: for a
   * change after which nobody acts on it. Never refuses, like {@link signRevoked}.
   */
  isAuthentic(record: ApiTokenRecord): boolean {
    const { mac } = record;
    if (mac === null) return isEmpty(record.fields);
    return this.#chain.has(mac.tmkVersion) && this.#isAuthentic(record, mac);
  }

  #isAuthentic(record: ApiTokenRecord, mac: NonNullable<ApiTokenRecord['mac']>): boolean {
    const { format } = mac;
    if (format !== 1 && format !== 2) return false;
    // Fields that the format does not cover count as absent.
    if (format === 1 && !isEmpty(record.fields)) return false;
    const expected = this.#mac(format, mac.tmkVersion, record);
    return mac.tag.length === expected.length && timingSafeEqual(mac.tag, expected);
  }

  #mac(format: RecordFormat, tmkVersion: number, record: UnsignedApiTokenRecord): Buffer {
    const key = deriveKey(this.#chain.version(tmkVersion).key, 'qnsp-kms/v1/token-record-mac');
    return createHmac('sha256', key).update(encodeTokenRecord(record, format)).digest();
  }
}

/** The authority of this service. Call it before a unit of work begins: it may read the store. */
export async function tokenAuthority(hierarchy: KeyHierarchy): Promise<TokenAuthority> {
  return new TokenAuthority(await hierarchy.masterKeys(SYSTEM_TENANT));
}
