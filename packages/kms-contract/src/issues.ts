import { type Issue, KmsError } from '@qnsp/kms-core';
import type { z } from 'zod';
import { TOO_LARGE } from './fields/bytes.ts';

const MAX_ISSUES = 20;
/** Names that may stand in an answer. A client that mixes up names and values sends its secret as a name. */
const QUOTABLE = /^[A-Za-z_][\w.-]{0,63}$/;

/**
 * The issues of a value that a schema refused. A reason says what the field must be and never what it was.
 *
 * @throws KmsError `PAYLOAD_TOO_LARGE` when a field is larger than the service takes.
 */
export function issuesOf(error: z.ZodError): readonly Issue[] {
  return error.issues.flatMap((issue) => {
    if (isTooLarge(issue))
      throw new KmsError('PAYLOAD_TOO_LARGE', issue.message, { details: { path: formatPath(issue.path) } });
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: formatPath([...issue.path, key]), reason: 'is not a known field' }));
    return [{ path: formatPath(issue.path), reason: issue.message }];
  });
}

/** The error of a request with these issues. */
export function invalidRequest(issues: readonly Issue[]): KmsError {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const message =
    first === undefined ? 'The request is not valid.' : `${first.path || 'The body'}: ${first.reason}${more}`;
  return new KmsError('BAD_REQUEST', message, { details: { issues: issues.slice(0, MAX_ISSUES) } });
}

/** The path of a field: names with dots between them, places in lists in brackets. */
function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    const name = QUOTABLE.test(String(step)) ? String(step) : '?';
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

/** What zod found, in words of this API: zod's own may quote the value. */
export const reasonOf: z.core.$ZodErrorMap = (issue) => {
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
