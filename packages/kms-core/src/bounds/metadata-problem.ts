import { BOUNDS } from './bounds.ts';
import { isPlainObject } from './is-plain-object.ts';

const bounds = BOUNDS.metadata;

/** What is wrong with metadata, and where in it. */
interface MetadataProblem {
  readonly path: readonly (string | number)[];
  readonly reason: string;
}

/** What was counted of one document. */
interface Count {
  bytes: number;
}

/**
 * The first thing that keeps a value from being metadata. What is taken comes back as it was sent: from JSON, from a
 * column of `jsonb`, and from the canonical form that the MAC of a record covers. So a number is one that all three
 * write alike, text is well-formed Unicode, which has a UTF-8 form, without U+0000, which PostgreSQL does not support,
 * and nothing is called `__proto__`.
 */
export function metadataProblem(value: unknown): MetadataProblem | undefined {
  if (!isPlainObject(value)) return { path: [], reason: 'must be an object' };
  return problemIn(value, [], { bytes: 0 });
}

function problemIn(value: unknown, path: readonly (string | number)[], count: Count): MetadataProblem | undefined {
  if (Array.isArray(value) || isPlainObject(value)) return problemInside(value, path, count);
  const reason = problemOfScalar(value, count);
  return reason === undefined ? undefined : { path, reason };
}

function problemInside(
  value: readonly unknown[] | Readonly<Record<string, unknown>>,
  path: readonly (string | number)[],
  count: Count,
): MetadataProblem | undefined {
  if (path.length >= bounds.levels) return { path, reason: `must have at most ${bounds.levels} levels` };
  // Brackets and commas count in what is nested, so that a document of empty lists is bounded too.
  if (path.length > 0) count.bytes += 2;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      count.bytes += 1;
      const problem = problemIn(item, [...path, index], count) ?? problemOfSize(count);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  const members = Object.entries(value);
  if (members.length > bounds.entries) return { path, reason: `must have at most ${bounds.entries} members` };
  for (const [name, member] of members) {
    const reason = problemOfName(name, count);
    if (reason !== undefined) return { path: [...path, name], reason };
    const problem = problemIn(member, [...path, name], count) ?? problemOfSize(count);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemOfSize({ bytes }: Count): MetadataProblem | undefined {
  if (bytes <= bounds.totalBytes) return undefined;
  return {
    path: [],
    reason: `must be at most ${bounds.totalBytes} bytes in UTF-8, names and values together`,
  };
}

function problemOfName(name: string, count: Count): string | undefined {
  if (name === '__proto__') return 'is not an allowed name';
  if (name.length === 0 || name.length > bounds.nameCharacters)
    return `names must have 1 to ${bounds.nameCharacters} characters`;
  return problemOfText(name, count);
}

function problemOfScalar(value: unknown, count: Count): string | undefined {
  switch (typeof value) {
    case 'string':
      if (value.length > bounds.valueCharacters) return `must have at most ${bounds.valueCharacters} characters`;
      return problemOfText(value, count);
    case 'number':
      count.bytes += digitsOf(value);
      return problemOfNumber(value);
    case 'boolean':
      count.bytes += 5;
      return undefined;
    default:
      count.bytes += 4;
      return value === null ? undefined : 'must be a JSON value';
  }
}

function problemOfText(text: string, count: Count): string | undefined {
  if (text.includes('\0')) return 'must not hold U+0000';
  if (!text.isWellFormed()) return 'must be well-formed Unicode';
  count.bytes += Buffer.byteLength(text);
  return undefined;
}

/** As `jsonb` writes it, which has no exponents: 5e-324 takes 326 characters whenever a record is read. */
function digitsOf(value: number): number {
  const [digits = '', exponent = '0'] = String(value).split('e-');
  return digits.length + Number(exponent);
}

/**
 * Larger whole numbers, and ones that do not fit in a double, have already lost digits by the time they are checked
 * (RFC 8259, section 6).
 */
function problemOfNumber(value: number): string | undefined {
  if (!Number.isFinite(value)) return 'must be a number that fits in a double; send it as text';
  if (Object.is(value, -0)) return 'must not be -0, which many programs treat as 0';
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return 'must be from -9007199254740991 to 9007199254740991 if it is whole; send larger ones as text';
  return undefined;
}
