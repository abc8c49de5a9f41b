import { ALGORITHMS, type Algorithm } from '../algorithms/registry.ts';
import { badRequest } from '../errors/kms-error.ts';
import { ID_PATTERN } from '../model/identifiers.ts';
import { BOUNDS } from './bounds.ts';

/** Checks of single values. Each throws `BAD_REQUEST` with the path; none trusts the type that it is told. */

// C0 and C1 controls, and the line separators that some log readers treat as the end of a line.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const ID = new RegExp(`^${ID_PATTERN}$`);

/** Bytes between two lengths. Only compares integers: it stands in front of every operation that uses a key. */
export function checkBytes(path: string, bytes: Uint8Array, maximum: number, minimum = 0): void {
  // By its element, not its class: bytes of another realm, such as a test runner's, are bytes too.
  if (bytes?.BYTES_PER_ELEMENT !== 1) throw badRequest(path, 'must be bytes');
  if (bytes.length > maximum) throw badRequest(path, `must be at most ${maximum} bytes`);
  if (bytes.length < minimum) throw badRequest(path, `must be at least ${minimum} bytes`);
}

/** A whole number between two. */
export function checkInteger(path: string, value: number, minimum: number, maximum: number): void {
  if (Number.isSafeInteger(value) && value >= minimum && value <= maximum) return;
  throw badRequest(path, `must be a whole number from ${minimum} to ${maximum}`);
}

/**
 * An id as records hold it. The one spelling matters: what is held in memory is found, and dropped when it changes, by the
 * text of its id.
 */
export function checkId(path: string, id: string): void {
  if (typeof id !== 'string' || !ID.test(id)) throw badRequest(path, 'must be a UUID in lower case');
}

/** One line of text, as a name is. */
export function checkLine(path: string, text: string, maximum: number): void {
  if (typeof text !== 'string') throw badRequest(path, 'must be text');
  if (text.length === 0 || text.length > maximum) throw badRequest(path, `must have 1 to ${maximum} characters`);
  if (!text.isWellFormed() || CONTROL.test(text)) throw badRequest(path, 'must be text without control characters');
}

/** An instant from 1970 to 9999. */
export function checkInstant(path: string, instant: Date): void {
  const { earliest, latest } = BOUNDS.instant;
  const at = instant instanceof Date ? instant.getTime() : Number.NaN;
  if (!(at >= earliest && at <= latest)) throw badRequest(path, 'must be an instant from 1970 to 9999, in UTC');
}

/** One of a few values. */
export function checkOneOf<T>(path: string, value: T, values: readonly T[]): void {
  if (!values.includes(value)) throw badRequest(path, `must be one of ${values.join(', ')}`);
}

/** Yes or no. */
export function checkBoolean(path: string, value: boolean): void {
  if (typeof value !== 'boolean') throw badRequest(path, 'must be true or false');
}

/** A version of a key by its number; absent is another way to say the current one. */
export function checkVersion(path: string, version: number | undefined): void {
  if (version !== undefined) checkInteger(path, version, 1, BOUNDS.keyVersion);
}

/** A row of the registry, not something like it. */
export function checkAlgorithm(path: string, algorithm: Algorithm): void {
  if (!ALGORITHMS.includes(algorithm)) throw badRequest(path, 'must be an algorithm in the registry');
}
