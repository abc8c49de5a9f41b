import { z } from 'zod';
import { withFastPath } from './fast-path.ts';
import { onTheWire } from './wire-schema.ts';

export interface StringMapBounds {
  readonly entries: number;
  readonly nameCharacters: number;
  readonly valueCharacters: number;
  /** Names and values together, in UTF-8. */
  readonly totalBytes: number;
}

export type StringMap = Readonly<Record<string, string>>;

/**
 * An object whose values are all strings. Names and values are well-formed Unicode: a lone surrogate has no UTF-8 form, so
 * two different values would be authenticated as the same bytes. The object is handed on as it is, without a copy;
 * `__proto__`, the one name that means something else to JavaScript, is refused.
 */
export function stringMap(bounds: StringMapBounds) {
  const schema = z.custom<StringMap>().check(({ value, issues }) => {
    for (const { path, message } of problems(value, bounds)) {
      issues.push({ code: 'custom', message, path: path === undefined ? [] : [path], input: undefined });
    }
  });
  withFastPath(schema, { decode: (value) => (problems(value, bounds).length === 0 ? value : undefined) });
  return onTheWire(schema, {
    type: 'object',
    maxProperties: bounds.entries,
    propertyNames: { minLength: 1, maxLength: bounds.nameCharacters },
    additionalProperties: { type: 'string', maxLength: bounds.valueCharacters },
  });
}

interface Problem {
  readonly path?: string;
  readonly message: string;
}

function problems(value: unknown, bounds: StringMapBounds): readonly Problem[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [{ message: 'must be an object of strings' }];
  const entries: [string, unknown][] = Object.entries(value);
  if (entries.length > bounds.entries) return [{ message: `must have at most ${bounds.entries} entries` }];
  let characters = 0;
  for (const [name, text] of entries) {
    const message = problemOfEntry(name, text, bounds);
    if (message !== undefined) return [{ path: name, message }];
    characters += name.length + String(text).length;
  }
  // UTF-8 takes at most three bytes for a UTF-16 code unit, so most maps need no exact count.
  const fits = characters * 3 <= bounds.totalBytes || byteLength(entries) <= bounds.totalBytes;
  return fits ? [] : [{ message: `must be at most ${bounds.totalBytes} bytes in UTF-8, names and values together` }];
}

function problemOfEntry(name: string, text: unknown, bounds: StringMapBounds): string | undefined {
  if (typeof text !== 'string') return 'must be a string';
  if (name === '__proto__') return 'is not an allowed name';
  if (name.length === 0 || name.length > bounds.nameCharacters)
    return `names must have 1 to ${bounds.nameCharacters} characters`;
  if (text.length > bounds.valueCharacters) return `must have at most ${bounds.valueCharacters} characters`;
  if (name.includes('\0') || text.includes('\0')) return 'must not hold U+0000';
  return name.isWellFormed() && text.isWellFormed() ? undefined : 'must be well-formed Unicode';
}

function byteLength(entries: readonly (readonly [string, unknown])[]): number {
  return entries.reduce((total, [name, text]) => total + Buffer.byteLength(name) + Buffer.byteLength(String(text)), 0);
}
