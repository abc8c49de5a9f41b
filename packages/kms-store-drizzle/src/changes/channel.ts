import { type FeedEvent, isUuid, type Mark } from '@qnsp/kms-core/ports';

/** A SHA-256, as the triggers write it. */
const FOUND_BY = /^[0-9a-f]{64}$/;

/**
 * What a notification says. A newer version may say things that this one does not know, and anyone who may write to the channel says
 * what they like: whatever it cannot be read as, anything may have changed.
 *
 * @param isOwn whether this process made a mark, by the mark's name and the session that sent it
 */
export function eventOf(payload: string, isOwn: (name: string, sender: number) => boolean): FeedEvent {
  const [kind, name = ''] = payload.split(':');
  if (kind === 'key' && isUuid(name)) return { kind, keyId: name };
  if (kind === 'token' && isUuid(name)) return { kind, tokenId: name };
  if (kind === 'identity' && FOUND_BY.test(name)) return { kind, foundBy: name };
  if (kind === 'tenant' && isUuid(name)) return { kind, tenantId: name };
  if (kind === 'mark') return markOf(name, isOwn);
  return { kind: 'gap' };
}

/** A mark that has no number comes before all others. */
function markOf(mark: string, isOwn: (name: string, sender: number) => boolean): Mark {
  const [number = '', name = '', sender = ''] = mark.split('.');
  const at = Number.parseInt(number, 10);
  return { kind: 'mark', mark, at: Number.isSafeInteger(at) ? at : 0, own: isOwn(name, Number(sender)) };
}

/** The name that a node gave its mark, without what the database put around it. */
export function nameIn(mark: string): string {
  return mark.split('.')[1] ?? '';
}

/**
 * The statement that puts a mark into the order of changes, with the number of its transaction, which never occurs
 * twice, and that of the session that sends it. A mark need not survive a crash, so nobody waits for a disk; this is
 * set for this transaction only, because the next one of a pooler's session is somebody else's. Returns the database's
 * time in milliseconds.
 */
export function markStatement(channel: string, name: string): string {
  return (
    `select set_config('synchronous_commit', 'off', true), ` +
    `pg_notify('${channel}', 'mark:' || pg_current_xact_id() || '.${name}.' || pg_backend_pid()), ` +
    `(extract(epoch from now()) * 1000)::bigint::text as now`
  );
}
