import type { FeedEvent } from '@qnsp/kms-core';

/** The channel on which the triggers of `migrations/*_change_feed.sql` announce changes, and nodes their marks. */
export const CHANNEL = 'kms_changes';

/** What a notification says. One of a newer version may say what this one does not know: then anything may have changed. */
export function eventOf(payload: string): FeedEvent {
  const [kind, name = ''] = payload.split(':');
  if (kind === 'key') return { kind, keyId: name };
  if (kind === 'token') return { kind, tokenId: name };
  if (kind === 'tenant') return { kind, tenantId: name };
  if (kind === 'mark') return { kind, mark: name };
  return { kind: 'gap' };
}

/** The statement that puts a mark into the order of changes. */
export function markStatement(mark: string): string {
  return `select pg_notify('${CHANNEL}', 'mark:${mark}')`;
}
