import { KmsError, type KmsErrorCode } from '@qnsp/kms-core';
import type { RequestFields } from './access-log.ts';
import type { EdgeLogs } from './edge-logs.ts';

/** What the service lacks for now. */
const UNAVAILABLE: ReadonlySet<KmsErrorCode> = new Set<KmsErrorCode>([
  'HSM_UNAVAILABLE',
  'STORE_UNAVAILABLE',
  'AUDIT_UNAVAILABLE',
  'SEALED',
]);

/** Logs a request that failed. */
export function logFailure({ log, access }: EdgeLogs, fields: RequestFields, failure: unknown): void {
  const code = KmsError.is(failure) ? failure.code : 'INTERNAL_ERROR';
  // What the service did wrong is worth its cause, what it lacks its reason, and what a client did wrong its code.
  if (code === 'INTERNAL_ERROR') log.error({ ...fields, code, err: failure }, 'request failed');
  else if (KmsError.is(failure) && UNAVAILABLE.has(code))
    log.warn({ ...fields, code, reason: reasonOf(failure) }, 'request could not be served');
  // A conflict with a cause is one with what is stored: somebody may have changed that.
  else if (KmsError.is(failure) && code === 'CONFLICT' && failure.cause !== undefined)
    log.warn({ ...fields, code, reason: reasonOf(failure) }, 'request conflicts with what is stored');
  else access({ ...fields, code });
}

/** In one line why something that the service needs was not there. There is one for each call of an outage. */
function reasonOf({ message, cause }: KmsError): string {
  if (!(cause instanceof Error)) return message;
  const code = 'code' in cause && typeof cause.code === 'string' ? `${cause.code}: ` : '';
  return `${message} (${code}${cause.message})`;
}
