import type { RequestHead } from '@qnsp/http-edge';
import type { KmsError } from '@qnsp/kms-core';
import { awsError, notOffered } from './errors/aws-error.ts';
import { AWS_OPERATIONS, NOT_OFFERED } from './operations/catalog.ts';
import type { AwsOperation, AwsTarget } from './request/aws-call.ts';

/**
 * How many bytes a body may have. It is kept of everybody, as the one who sent it is known only with it, and no operation that is
 * there takes more.
 */
const MOST_BODY_BYTES = 128 * 1024;

const PREFIX = 'TrentService.';

/** Whether a request is posted to where clients of AWS post all of theirs. */
export function isForAws({ method, url = '' }: Pick<RequestHead, 'method' | 'url'>): boolean {
  return method === 'POST' && (url === '/' || url.startsWith('/?'));
}

/**
 * The operation that a request names.
 *
 * @throws KmsError `NOT_FOUND` for one that AWS KMS does not have either, `BAD_REQUEST` for one that is not there
 */
export function findTarget(head: RequestHead, callerIdentity: AwsOperation): AwsTarget {
  if (!isForAws(head)) throw unknown('There is nothing but POST /.');
  const named = head.headers['x-amz-target'];
  if (named === undefined && isForm(head)) return targetOf(callerIdentity);
  if (typeof named !== 'string' || !named.startsWith(PREFIX)) throw unknown();
  const action = named.slice(PREFIX.length);
  const found = AWS_OPERATIONS.get(action);
  if (found !== undefined) return targetOf(found);
  if (NOT_OFFERED.has(action)) throw notOffered(action);
  throw unknown();
}

/** The Security Token Service speaks another protocol, at the same address. */
export function isForm({ headers }: Pick<RequestHead, 'headers'>): boolean {
  return /^application\/x-www-form-urlencoded *(?:;|$)/i.test(headers['content-type'] ?? '');
}

function targetOf(aws: AwsOperation): AwsTarget {
  return { kind: { operation: aws.operation, isOpen: false, bodyBytes: MOST_BODY_BYTES }, aws };
}

function unknown(message?: string): KmsError {
  return awsError('NOT_FOUND', 'UnknownOperationException', message);
}
