import { KmsError } from '@qnsp/kms-core';
import { masterKeyRetired, type QuotaKind, quotaExceeded, tooManyAnswers } from '@qnsp/kms-core/ports';

/** SQLSTATEs, and classes of them, of a database that cannot serve now but may serve later. */
const UNAVAILABLE_STATES: ReadonlySet<string> = new Set([
  '25006', // read_only_sql_transaction: a standby, or one that ran out of space
  '25P03', // idle_in_transaction_session_timeout
  '25P04', // transaction_timeout
  '28000', // invalid_authorization_specification
  '28P01', // invalid_password
  '3D000', // invalid_catalog_name: the database is not there
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
]);
/** Connection exceptions, insufficient resources, operator intervention and system errors. */
const UNAVAILABLE_CLASSES: ReadonlySet<string> = new Set(['08', '53', '57', '58']);
/** Errors of a single statement: the next attempt may be lucky at once. */
const SHORT_LIVED_STATES: ReadonlySet<string> = new Set(['40001', '40P01', '55P03', '57014']);
/** What the driver, the socket or TLS call a connection that cannot be made or is gone. */
const CONNECTION_FAILURE = /^(?:CONNECT|E(?!RR_)[A-Z_]{3,}$|ERR_(?:SSL|TLS)_|[A-Z_]*(?:CERT|CRL|SIGNATURE)[A-Z_]*$)/;
const SQLSTATE = /^[0-9A-Z]{5}$/;
const TENANT_SHREDDED = 'KM001';
const NO_STANDBY = 'KM002';
const MASTER_KEY_RETIRED = 'KM003';
const NO_ROOM = 'KM004';
/** in_failed_sql_transaction */
const FAILED_TRANSACTION = '25P02';
const UNIQUE_VIOLATION = '23505';
/** The unique constraints that a caller can run into; all others guard against faults of this service. */
const CONFLICTS: Readonly<Record<string, string>> = {
  tenant_master_key_wraps_pkey: 'This version of the master key has a wrap under this root.',
  roots_pkey: 'The root is in use already.',
  tenants_account: 'Another tenant has this account.',
};

const FOREIGN_KEY_VIOLATION = '23503';
/** The only foreign key that calls can run into: a root goes out of use while another node still wraps under it. */
const WRAP_OF_ROOT = 'tenant_master_key_wraps_root';

/** The error of the store port for what a database or its driver threw. A `KmsError` is passed on. */
export function toStoreError(error: unknown): KmsError {
  if (KmsError.is(error)) return error;
  const fault = faultOf(error);
  if (isUnavailable(fault.code)) {
    return unavailable(SHORT_LIVED_STATES.has(fault.code) ? 'is busy' : 'cannot serve', fault);
  }
  if (fault.code === NO_STANDBY) return unavailable('has no synchronous standby, so nothing is changed in it', fault);
  if (fault.code === MASTER_KEY_RETIRED) return masterKeyRetired(fault);
  if (fault.code === TENANT_SHREDDED) return new KmsError('CONFLICT', 'The tenant was shredded.', { cause: fault });
  if (fault.code === NO_ROOM) return noRoom(fault);
  const conflict = fault.code === UNIQUE_VIOLATION ? CONFLICTS[fault.constraint ?? ''] : undefined;
  if (fault.code === FOREIGN_KEY_VIOLATION && fault.constraint === WRAP_OF_ROOT)
    return new KmsError('CONFLICT', 'The root is not in use, or is used again.', { cause: fault });
  if (conflict !== undefined) return new KmsError('CONFLICT', conflict, { cause: fault });
  return new KmsError('INTERNAL_ERROR', 'The store refused a statement.', { cause: fault });
}

/** `STORE_UNAVAILABLE` for a database that did not answer in time. */
export function timedOut(limitMs: number): KmsError {
  return unavailable(`did not answer within ${limitMs} ms`);
}

/** `STORE_UNAVAILABLE` for a standby that still follows its primary and does not have what that has acknowledged. */
export function lagging(): KmsError {
  return unavailable('is a standby that lags');
}

/** `STORE_UNAVAILABLE` for a store that was closed. */
export function storeClosed(): KmsError {
  return unavailable('is closed');
}

/** Whether the connection on which this happened is no longer usable. */
export function isConnectionLost(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof DatabaseFault) return endsConnection(current.code);
  }
  return false;
}

/** Whether a statement was refused because one before it in its transaction had failed. */
export function isInFailedTransaction(error: unknown): boolean {
  return KmsError.is(error) && error.cause instanceof DatabaseFault && error.cause.code === FAILED_TRANSACTION;
}

type Refusal = { readonly maximum: number; readonly used: number } & (
  | { readonly limit: QuotaKind }
  | { readonly limit: 'keptAnswers'; readonly retryAfterSeconds: number }
);

function noRoom({ message }: DatabaseFault): KmsError {
  // What the functions of the database write, and nothing else has the code.
  const refusal = JSON.parse(message) as Refusal;
  const { limit, maximum, used } = refusal;
  return limit === 'keptAnswers'
    ? tooManyAnswers(maximum, used, refusal.retryAfterSeconds)
    : quotaExceeded(limit, maximum, used);
}

function endsConnection(code: string): boolean {
  // A session that is read-only (25006) stays so when its database no longer is: only a new one finds out.
  return CONNECTION_FAILURE.test(code) || /^(?:08|57P|25P0[34]|25006)/.test(code);
}

function unavailable(what: string, cause?: DatabaseFault): KmsError {
  return new KmsError('STORE_UNAVAILABLE', `The database ${what}. Try again.`, {
    retryAfterSeconds: 1,
    ...(cause === undefined ? {} : { cause }),
  });
}

function isUnavailable(code: string): boolean {
  if (UNAVAILABLE_STATES.has(code) || CONNECTION_FAILURE.test(code)) return true;
  return SQLSTATE.test(code) && UNAVAILABLE_CLASSES.has(code.slice(0, 2));
}

/**
 * A database error without what must not reach a log: the errors of drizzle and of the drivers carry the parameters of
 * the statement, and PostgreSQL's own detail quotes whole rows.
 */
class DatabaseFault extends Error {
  readonly code: string;
  readonly constraint: string | undefined;

  constructor(code: string, message: string, constraint: string | undefined, stack: string | undefined) {
    super(message);
    this.name = 'DatabaseFault';
    this.code = code;
    this.constraint = constraint;
    if (stack !== undefined) this.stack = stack;
  }
}

function faultOf(error: unknown): DatabaseFault {
  if (error instanceof DatabaseFault) return error;
  const inner = innermost(error);
  if (!(inner instanceof Error)) return new DatabaseFault('', String(inner), undefined, undefined);
  const constraint = textOf(inner, 'constraint_name') ?? textOf(inner, 'constraint');
  return new DatabaseFault(textOf(inner, 'code') ?? '', inner.message, constraint, inner.stack);
}

/** Drizzle wraps the errors of drivers. */
function innermost(error: unknown): unknown {
  let current = error;
  while (current instanceof Error && textOf(current, 'code') === undefined && current.cause !== undefined)
    current = current.cause;
  return current;
}

function textOf(error: Error, field: string): string | undefined {
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'string' ? value : undefined;
}
