import type { FeedEvent, Mark } from '@qnsp/kms-core';

/** The channel on which the triggers of `migrations/*_change_feed.sql` announce changes, and nodes their marks. */
export const CHANNEL = 'kms_changes';

/** What a notification says. One of a newer version may say what this one does not know: then anything may have changed. */
export function eventOf(payload: string, isOwn: (name: string) => boolean): FeedEvent {
  const [kind, name = ''] = payload.split(':');
  if (kind === 'key') return { kind, keyId: name };
  if (kind === 'token') return { kind, tokenId: name };
  if (kind === 'tenant') return { kind, tenantId: name };
  if (kind === 'mark') return markOf(name, isOwn);
  return { kind: 'gap' };
}

/** A mark that has no number comes before all others. */
function markOf(mark: string, isOwn: (name: string) => boolean): Mark {
  const at = Number.parseInt(mark, 10);
  return { kind: 'mark', mark, at: Number.isSafeInteger(at) ? at : 0, own: isOwn(nameIn(mark)) };
}

/** The name that a node gave its mark, without the number of the database before it. */
export function nameIn(mark: string): string {
  return mark.slice(mark.indexOf('.') + 1);
}

/** The statement that puts a mark into the order of changes, with the number of its transaction, which never comes twice. */
export function markStatement(name: string): string {
  return `select pg_notify('${CHANNEL}', 'mark:' || pg_current_xact_id() || '.${name}')`;
}
