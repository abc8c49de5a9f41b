import type { CallOptions } from '../base/call-options.ts';
import type { BatchResult } from '../batch.ts';
import type { KmsClient } from '../client.ts';
import { concatenate, contextDigest } from '../envelope/context-digest.ts';
import { invalidArgument, KmsClientError } from '../errors/kms-client-error.ts';
import { type CiphertextHeader, ciphertextHeader } from './ciphertext-header.ts';
import { checkedOptions, type CheckedOptions, type FieldCipherOptions, ROW } from './field-cipher-options.ts';
import { bytesOf, textOf } from './field-value.ts';
import { mapped, next, only } from './results.ts';

/** What a field cipher needs from a client; any object with these operations will do. */
export type FieldService = Pick<KmsClient, 'batch' | 'getKey'>;

/** A value to be sealed. */
export interface PlainField {
  /** Text is sealed as UTF-8. At most 64 KiB. */
  readonly value: string | Uint8Array;
  /** The id of the row. A field that was sealed for a row opens for that row only. */
  readonly row?: string | undefined;
}

/** A value as it is stored. */
export interface SealedField {
  /** What `seal` returned. */
  readonly sealed: Uint8Array;
  /** As it was when the field was sealed. */
  readonly row?: string | undefined;
}

/** A stored value after {@link FieldCipher.reseal}. */
export interface ResealedField {
  /** The field under the current version of the key; the one that was given if it was already. */
  readonly sealed: Uint8Array;
  /** Whether the stored field has to be replaced. */
  readonly changed: boolean;
}

/**
 * Seals, opens and finds the values of one column of a database. Many values take one request for up to 1,000 of them; their results are
 * in the order of the values, and a value that fails is an error in its place.
 */
export interface FieldCipher {
  seal(field: PlainField, options?: CallOptions): Promise<Uint8Array>;
  sealMany(fields: readonly PlainField[], options?: CallOptions): Promise<readonly BatchResult<Uint8Array>[]>;
  /** @throws KmsClientError `DECRYPT_FAILED` for a field of another row, column or tenant, or one that was changed. */
  open(field: SealedField, options?: CallOptions): Promise<Uint8Array>;
  openMany(fields: readonly SealedField[], options?: CallOptions): Promise<readonly BatchResult<Uint8Array>[]>;
  /** {@link open} for a field that was sealed as text. */
  openText(field: SealedField, options?: CallOptions): Promise<string>;
  /**
   * The code under which a value is found: the same for equal values of this column, and different in each column. Bring values that
   * should be found alike into one form before, such as lower case.
   *
   * @throws KmsClientError `INVALID_ARGUMENT` if the cipher has no index.
   */
  blindIndex(value: string | Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  blindIndexMany(
    values: readonly (string | Uint8Array)[],
    options?: CallOptions,
  ): Promise<readonly BatchResult<Uint8Array>[]>;
  /** Moves what is stale to the current version of the key, within the service: no plaintext comes here. */
  reseal(fields: readonly SealedField[], options?: CallOptions): Promise<readonly BatchResult<ResealedField>[]>;
}

const INDEX_LABEL = new TextEncoder().encode('qnsp-kms/field-index/v1');

/**
 * Creates the cipher of one column.
 *
 * @throws KmsClientError `INVALID_ARGUMENT` for options that cannot be meant.
 * @example
 * import { createKmsClient } from '@qnsp/kms-client';
 * import { createFieldCipher } from '@qnsp/kms-client/fields';
 * const kms = createKmsClient({ baseUrl, token });
 * const { keyId } = await kms.createKey({ name: 'fields' });
 * const { keyId: indexKeyId } = await kms.createKey({ name: 'index', algorithm: 'HMAC-SHA256' });
 * const emails = createFieldCipher(kms, {
 *   keyId,
 *   context: { table: 'customer', column: 'email' },
 *   index: { keyId: indexKeyId, keyVersion: 1 },
 * });
 * const sealed = await emails.seal({ value: 'ada@example.com', row: '7' });
 * console.log(await emails.openText({ sealed, row: '7' })); // ada@example.com
 * const [one, same] = [await emails.blindIndex('ada@example.com'), await emails.blindIndex('ada@example.com')];
 * console.log(Buffer.compare(one, same)); // 0
 */
export function createFieldCipher(kms: FieldService, options: FieldCipherOptions): FieldCipher {
  const checked = checkedOptions(options);
  const cipher = { kms, ...checked };
  const one = async <Value, Result>(
    many: (values: readonly Value[], call?: CallOptions) => Promise<readonly BatchResult<Result>[]>,
    value: Value,
    call?: CallOptions,
  ) => only(await many([value], call));
  const sealMany: FieldCipher['sealMany'] = (fields, call) => sealAll(cipher, fields, call);
  const openMany: FieldCipher['openMany'] = (fields, call) => openAll(cipher, fields, call);
  const blindIndexMany: FieldCipher['blindIndexMany'] = (values, call) => indexAll(cipher, values, call);
  return {
    sealMany,
    openMany,
    blindIndexMany,
    reseal: (fields, call) => resealAll(cipher, fields, call),
    seal: (field, call) => one(sealMany, field, call),
    open: (field, call) => one(openMany, field, call),
    openText: async (field, call) => textOf(await one(openMany, field, call)),
    blindIndex: (value, call) => one(blindIndexMany, value, call),
  };
}

interface Cipher extends CheckedOptions {
  readonly kms: FieldService;
}

async function sealAll(
  { kms, keyId, context }: Cipher,
  fields: readonly PlainField[],
  call?: CallOptions,
): Promise<readonly BatchResult<Uint8Array>[]> {
  const items = fields.map(({ value, row }) => ({
    keyId,
    plaintext: bytesOf(value),
    context: contextOf(context, row),
  }));
  const answers = await kms.batch('encrypt', items, call);
  return answers.map((answer) => mapped(answer, ({ ciphertext }) => ciphertext));
}

async function openAll(
  cipher: Cipher,
  fields: readonly SealedField[],
  call?: CallOptions,
): Promise<readonly BatchResult<Uint8Array>[]> {
  return eachReadable(cipher, fields, async (readable) => {
    const items = readable.map(({ sealed, row, header }) => ({
      keyId: header.keyId,
      ciphertext: sealed,
      context: contextOf(cipher.context, row),
    }));
    const answers = await cipher.kms.batch('decrypt', items, call);
    return answers.map((answer) => mapped(answer, ({ plaintext }) => plaintext));
  });
}

async function indexAll(
  { kms, context, index }: Cipher,
  values: readonly (string | Uint8Array)[],
  call?: CallOptions,
): Promise<readonly BatchResult<Uint8Array>[]> {
  if (index === undefined) throw invalidArgument('This field cipher has no index: give it one to search its column.');
  const { keyId, keyVersion, bytes } = index;
  // The label and the digest have a fixed length, so no two columns and values make the same message.
  const prefix = concatenate([INDEX_LABEL, await contextDigest(context)]);
  const items = values.map((value) => ({ keyId, keyVersion, data: concatenate([prefix, bytesOf(value)]) }));
  const answers = await kms.batch('mac', items, call);
  return answers.map((answer) => mapped(answer, ({ mac }) => mac.slice(0, bytes)));
}

async function resealAll(
  cipher: Cipher,
  fields: readonly SealedField[],
  call?: CallOptions,
): Promise<readonly BatchResult<ResealedField>[]> {
  const { kms, keyId, context } = cipher;
  if (fields.length === 0) return [];
  const { currentVersion } = await kms.getKey({ keyId }, call);
  const isStale = ({ header }: ReadableField) => header.keyId !== keyId || header.keyVersion !== currentVersion;
  return eachReadable<ResealedField>(cipher, fields, async (readable) => {
    const items = readable.filter(isStale).map(({ sealed, row, header }) => ({
      sourceKeyId: header.keyId,
      destinationKeyId: keyId,
      ciphertext: sealed,
      context: contextOf(context, row),
    }));
    const answers = (await kms.batch('reencrypt', items, call)).values();
    return readable.map((field) =>
      isStale(field)
        ? mapped(next(answers), ({ ciphertext }) => ({ sealed: ciphertext, changed: true }))
        : { ok: true, value: { sealed: field.sealed, changed: false } },
    );
  });
}

interface ReadableField extends SealedField {
  readonly header: CiphertextHeader;
}

/** Does something with all fields that can be of this column, and answers the others with the reason why they are not. */
async function eachReadable<Result>(
  cipher: Cipher,
  fields: readonly SealedField[],
  work: (readable: readonly ReadableField[]) => Promise<readonly BatchResult<Result>[]>,
): Promise<readonly BatchResult<Result>[]> {
  const read = fields.map((field) => readField(cipher, field));
  const results = (await work(read.flatMap((field) => (field.ok ? [field.value] : [])))).values();
  return read.map((field) => (field.ok ? next(results) : field));
}

function readField(cipher: Cipher, field: SealedField): BatchResult<ReadableField> {
  try {
    const header = ciphertextHeader(field.sealed);
    if (header.keyId !== cipher.keyId && !cipher.formerKeyIds.includes(header.keyId))
      throw new KmsClientError('ENVELOPE_KEY_MISMATCH', 'The field is under a key that is not one of this column.');
    return { ok: true, value: { ...field, header } };
  } catch (error) {
    if (!(error instanceof KmsClientError)) throw error;
    return { ok: false, error };
  }
}

function contextOf(context: FieldCipherOptions['context'], row: string | undefined): Record<string, string> {
  return row === undefined ? { ...context } : { ...context, [ROW]: row };
}
