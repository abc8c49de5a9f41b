import { HAS_STANDBY } from '../commits/standby.ts';

/**
 * What a transaction begins with, whatever the role, the database or the client has for a default: what counts rows under a lock
 * must see what was committed while it waited for the lock.
 */
export const ISOLATION = 'isolation level read committed';

/** How long the server lets a statement run or wait for a lock, or a transaction idle; with 0 without a limit. */
export function limitsOf(timeoutMs: number) {
  return {
    statement_timeout: timeoutMs,
    lock_timeout: timeoutMs,
    idle_in_transaction_session_timeout: timeoutMs,
  };
}

/** The statements that set the limits for the rest of a transaction. */
export function limitStatements(timeoutMs: number): string {
  return Object.entries(limitsOf(timeoutMs))
    .map(([name, value]) => `set local ${name} = ${value}; `)
    .join('');
}

/**
 * Says for the rest of the transaction whether a synchronous standby follows, while the connecting user, who may see that, still
 * works under its own name.
 */
export const NOTE_STANDBY = `select set_config('kms.has_standby', case when ${HAS_STANDBY} then 'yes' else 'no' end, true); `;
