import { type Issue, KmsError } from '@qnsp/kms-core';
import type { z } from 'zod';
import type { Names } from '../route/field-aliases.ts';
import { TOO_LARGE } from '../fields/bytes.ts';

const MAX_ISSUES = 20;
/** Names that may appear in an answer. A client that mixes up names and values sends its secret as a name. */
const QUOTABLE = /^[A-Za-z_][\w.-]{0,63}$/;

/**
 * The issues of a value that a schema refused. A reason says what the field must be and never what it was.
 *
 * @throws KmsError `PAYLOAD_TOO_LARGE` when a field is larger than the service accepts.
 */
function issuesOf(error: z.ZodError): readonly Issue[] {
  return error.issues.flatMap((issue) => {
    if (isTooLarge(issue))
      throw new KmsError('PAYLOAD_TOO_LARGE', issue.message, { details: { path: formatPath(issue.path) } });
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: formatPath([...issue.path, key]), reason: 'is not a known field' }));
    return [{ path: formatPath(issue.path), reason: issue.message }];
  });
}

/** Checks a value against a schema. Throws `BAD_REQUEST` or `PAYLOAD_TOO_LARGE`. */
export function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, { error: reasonOf });
  if (!result.success) throw invalidRequest(issuesOf(result.error));
  return result.data;
}

/** The error of a request with these issues. */
export function invalidRequest(issues: readonly Issue[]): KmsError {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const message =
    first === undefined ? 'The request is not valid.' : `${first.path || 'The body'}: ${first.reason}${more}`;
  return new KmsError('BAD_REQUEST', message, { details: { issues: issues.slice(0, MAX_ISSUES) } });
}

/**
 * An error in terms of the names that the request uses for its fields.
 *
 * @param names canonical names and those of the request, where they differ
 */
export function nameAsSent(error: unknown, names: Names | undefined): unknown {
  if (names === undefined || !KmsError.is(error) || error.details === undefined) return error;
  const { issues, path, ...others } = error.details as { readonly issues?: readonly Issue[]; readonly path?: string };
  const details = {
    ...others,
    ...(path === undefined ? {} : { path: asSent(path, names) }),
    ...(issues === undefined ? {} : { issues: issues.map((one) => ({ ...one, path: asSent(one.path, names) })) }),
  };
  const [first] = issues ?? [];
  const message =
    first !== undefined && error.message.startsWith(`${first.path}: `)
      ? asSent(first.path, names) + error.message.slice(first.path.length)
      : error.message;
  const { code, retryAfterSeconds, cause } = error;
  return new KmsError(code, message, {
    details,
    cause,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

function asSent(path: string, names: Names): string {
  const [name = ''] = /^[^.[]*/.exec(path) ?? [];
  return Object.hasOwn(names, name) ? `${names[name]}${path.slice(name.length)}` : path;
}

/** A name from a request in the form in which it may appear in an answer. */
export function quotable(name: string): string {
  return QUOTABLE.test(name) ? name : '?';
}

/** The path of a field: names separated by dots, list indices in brackets. */
function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    const name = quotable(String(step));
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

/** What zod found, in words of this API: zod's own may quote the value. */
const reasonOf: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
    case 'too_big':
      return `must ${MEASURES[issue.origin] === undefined ? 'be' : 'have'} at most ${issue.maximum}${MEASURES[issue.origin] ?? ''}`;
    case 'too_small':
      return `must ${MEASURES[issue.origin] === undefined ? 'be' : 'have'} at least ${issue.minimum}${MEASURES[issue.origin] ?? ''}`;
    case 'invalid_value':
      return issue.input === undefined
        ? 'is required'
        : `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(valueName).join(', ')}`;
    case 'unrecognized_keys':
      return 'has unknown fields';
    default:
      return issue.input === undefined ? 'is required' : 'is not valid';
  }
};

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  record: 'an object',
};

const MEASURES: Readonly<Record<string, string>> = { string: ' characters', array: ' items' };

function valueName(value: unknown): string {
  return value === '' ? 'empty' : String(value);
}

function isTooLarge(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' && issue.params?.['payloadTooLarge'] === TOO_LARGE.payloadTooLarge;
}
