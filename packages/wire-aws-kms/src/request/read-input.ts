import { parseJsonObject } from '@qnsp/http-edge';
import { KmsError } from '@qnsp/kms-core';
import { awsError, invalid } from '../errors/aws-error.ts';
import type { InputOf, Member, Members, TextShape } from './shapes.ts';

const JSON_TYPE = /^application\/x-amz-json-1\.\d+ *(?:;|$)/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The body of a request. Throws what AWS calls a SerializationException for what is no object in JSON. */
export function readObject(bytes: Buffer, contentType: string | undefined): Readonly<Record<string, unknown>> {
  if (contentType === undefined || !JSON_TYPE.test(contentType))
    throw awsError(
      'UNSUPPORTED_MEDIA_TYPE',
      'SerializationException',
      'The body has to be application/x-amz-json-1.1.',
    );
  try {
    return parseJsonObject(bytes, undefined);
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    throw awsError('BAD_REQUEST', 'SerializationException', error.message, error);
  }
}

/**
 * The members of a request, each of which has the shape that it has to have.
 *
 * @throws KmsError `BAD_REQUEST`: a SerializationException for a value of another type, a ValidationException that names all
 *   constraints which the others do not meet
 */
export function readInput<M extends Members>(members: M, body: Readonly<Record<string, unknown>>): InputOf<M> {
  const input: Record<string, unknown> = {};
  const violations: string[] = [];
  for (const [name, member] of Object.entries(members)) {
    const given = Object.hasOwn(body, name) ? body[name] : undefined;
    const path = name.charAt(0).toLowerCase() + name.slice(1);
    if (given === undefined || given === null) {
      if (member.required) violations.push(violation('null', path, 'not be null'));
      continue;
    }
    input[name] = valueOf(member, given, path, violations);
  }
  if (violations.length > 0) {
    const errors = violations.length === 1 ? 'error' : 'errors';
    throw invalid(`${violations.length} validation ${errors} detected: ${violations.join('; ')}`);
  }
  // Every member was read by its shape.
  return input as InputOf<M>;
}

function valueOf(member: Member, given: unknown, path: string, violations: string[]): unknown {
  switch (member.kind) {
    case 'text':
      return textOf(member, given, path, violations);
    case 'blob': {
      if (typeof given !== 'string' || !BASE64.test(given)) throw unreadable(path, 'base64');
      const bytes = Buffer.from(given, 'base64');
      outOfRange(bytes.length, member, 'length', (must) => violations.push(`Value at '${path}' ${FAILED} ${must}`));
      return bytes;
    }
    case 'whole':
      if (typeof given !== 'number' || !Number.isSafeInteger(given)) throw unreadable(path, 'a whole number');
      outOfRange(given, member, 'value', (must) => violations.push(`Value '${given}' at '${path}' ${FAILED} ${must}`));
      return given;
    case 'flag':
      if (typeof given !== 'boolean') throw unreadable(path, 'true or false');
      return given;
    case 'context':
      return contextOf(given, path);
    case 'list': {
      if (!Array.isArray(given)) throw unreadable(path, 'a list');
      if (given.length > member.max)
        violations.push(violation(`'[…]'`, path, `have length less than or equal to ${member.max}`));
      return given.map((item, at) => textOf(member.of, item, `${path}.${at + 1}.member`, violations));
    }
    case 'any':
      return given;
  }
}

function textOf(shape: TextShape, given: unknown, path: string, violations: string[]): string {
  if (typeof given !== 'string') throw unreadable(path, 'a string');
  const { min, max, pattern, values } = shape;
  const note = (must: string) => violations.push(`Value '${given}' at '${path}' ${FAILED} ${must}`);
  if (values !== undefined && !values.includes(given))
    note(`Member must satisfy enum value set: [${values.join(', ')}]`);
  outOfRange(given.length, { min: min ?? 0, max: max ?? Infinity }, 'length', note);
  if (pattern !== undefined && !pattern.test(given))
    note(`Member must satisfy regular expression pattern: ${pattern.source}`);
  return given;
}

function contextOf(given: unknown, path: string): Readonly<Record<string, string>> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw unreadable(path, 'an object');
  const entries: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string') throw unreadable(path, 'an object of strings');
    entries.push([name, value]);
  }
  // Makes members of all names, whatever they mean elsewhere.
  return Object.fromEntries(entries);
}

const FAILED = 'failed to satisfy constraint:';

function violation(value: string, path: string, must: string): string {
  return `Value ${value} at '${path}' ${FAILED} Member must ${must}`;
}

function outOfRange(
  size: number,
  { min, max }: { readonly min: number; readonly max: number },
  what: 'length' | 'value',
  note: (must: string) => void,
): void {
  if (size < min) note(`Member must have ${what} greater than or equal to ${min}`);
  if (size > max) note(`Member must have ${what} less than or equal to ${max}`);
}

/** What is wrong with it is said without its value, which may be a secret that stands in the wrong place. */
function unreadable(path: string, what: string): KmsError {
  return awsError('BAD_REQUEST', 'SerializationException', `The value at '${path}' has to be ${what}.`);
}
