import { badRequest } from '../errors/kms-error.ts';
import { isPlainObject } from './is-plain-object.ts';

export interface StringMapBounds {
  readonly entries: number;
  readonly nameCharacters: number;
  readonly valueCharacters: number;
  /** Names and values together, in UTF-8. */
  readonly totalBytes: number;
}

/** Names and values, as an encryption context has them. Throws `BAD_REQUEST`. */
export function checkStringMap(path: string, map: Readonly<Record<string, string>>, bounds: StringMapBounds): void {
  // What a Map holds are no members: it would be taken for an empty one.
  if (!isPlainObject(map)) throw badRequest(path, 'must be an object of strings');
  const names = Object.keys(map);
  if (names.length > bounds.entries) throw badRequest(path, `must have at most ${bounds.entries} entries`);
  let characters = 0;
  for (const name of names) {
    characters += checkEntry(path, name, map[name], bounds);
  }
  // UTF-8 takes at most three bytes for a UTF-16 code unit, so most maps need no exact count.
  if (characters * 3 > bounds.totalBytes && byteLength(map) > bounds.totalBytes)
    throw badRequest(path, `must be at most ${bounds.totalBytes} bytes in UTF-8, names and values together`);
}

/**
 * One name and its value. Both are well-formed Unicode: a lone surrogate has no UTF-8 form, so two different values would be
 * authenticated as the same bytes. `__proto__` is the one name that means something else to JavaScript.
 *
 * @returns the characters of both
 */
function checkEntry(path: string, name: string, value: string | undefined, bounds: StringMapBounds): number {
  if (typeof value !== 'string') throw badRequest(path, 'must be an object of strings');
  if (name.length === 0 || name.length > bounds.nameCharacters)
    throw badRequest(path, `names must have 1 to ${bounds.nameCharacters} characters`);
  if (value.length > bounds.valueCharacters)
    throw badRequest(path, `values must have at most ${bounds.valueCharacters} characters`);
  if (name === '__proto__') throw badRequest(path, '__proto__ is not an allowed name');
  if (name.includes('\0') || value.includes('\0')) throw badRequest(path, 'must not hold U+0000');
  if (!name.isWellFormed() || !value.isWellFormed()) throw badRequest(path, 'must be well-formed Unicode');
  return name.length + value.length;
}

function byteLength(map: Readonly<Record<string, string>>): number {
  return Object.entries(map).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
}
