import { invalidArgument, requireKnown } from '../errors/kms-client-error.ts';
import type { EnvelopeContext } from '../envelope/context-digest.ts';

/** How the values of one column are found without being decrypted. */
export interface BlindIndexOptions {
  /** An HMAC key. */
  readonly keyId: string;
  /** The version of it whose codes are stored. Only a new index, made from all values, can be under another one. */
  readonly keyVersion: number;
  /**
   * How many bytes of each code are kept, 4 to 32; default: 32. Fewer bytes let different values share a code, which hides how often
   * a value occurs, and makes a search find rows that have to be sorted out after they were opened.
   */
  readonly bytes?: number | undefined;
}

/** What the fields of one column have in common. */
export interface FieldCipherOptions {
  /** The key that seals: any key that encrypts. */
  readonly keyId: string;
  /** Keys that sealed earlier, which open as well; what is under them is stale. */
  readonly formerKeyIds?: readonly string[] | undefined;
  /** Which column this is, such as `{ table: 'customer', column: 'email' }`. A field of another column does not open. */
  readonly context: EnvelopeContext;
  /** Only a column that is searched needs one. */
  readonly index?: BlindIndexOptions | undefined;
}

export interface CheckedOptions {
  readonly keyId: string;
  readonly formerKeyIds: readonly string[];
  readonly context: EnvelopeContext;
  readonly index: Required<BlindIndexOptions> | undefined;
}

/** The name in the context that the id of the row has. */
export const ROW = 'row';
const FULL_BYTES = 32;
const FEWEST_BYTES = 4;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @throws KmsClientError `INVALID_ARGUMENT` for options that cannot be meant. */
export function checkedOptions(options: FieldCipherOptions): CheckedOptions {
  requireKnown(options, ['keyId', 'formerKeyIds', 'context', 'index'], 'A field cipher');
  const { context, formerKeyIds = [], index } = options;
  if (typeof context !== 'object' || Object.keys(context).length === 0 || ROW in context)
    throw invalidArgument(`The context of a field cipher names its column; ${ROW} is for the single field.`);
  return {
    keyId: keyIdOf(options.keyId),
    formerKeyIds: formerKeyIds.map(keyIdOf),
    context,
    index: index && checkedIndex(index),
  };
}

function checkedIndex(index: BlindIndexOptions): Required<BlindIndexOptions> {
  requireKnown(index, ['keyId', 'keyVersion', 'bytes'], 'A blind index');
  const { keyVersion, bytes = FULL_BYTES } = index;
  if (!Number.isSafeInteger(keyVersion) || keyVersion < 1)
    throw invalidArgument('keyVersion of a blind index is the version of the key that it was begun with.');
  if (!Number.isInteger(bytes) || bytes < FEWEST_BYTES || bytes > FULL_BYTES)
    throw invalidArgument(`bytes of a blind index is a whole number from ${FEWEST_BYTES} to ${FULL_BYTES}.`);
  return { keyId: keyIdOf(index.keyId), keyVersion, bytes };
}

function keyIdOf(keyId: string): string {
  if (typeof keyId !== 'string' || !UUID.test(keyId)) throw invalidArgument('keyId is the id of a key, a UUID.');
  return keyId.toLowerCase();
}
