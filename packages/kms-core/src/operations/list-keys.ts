import { requirePermission } from '../access/caller.ts';
import { isAllowed } from '../access/evaluate-policy.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkInteger, checkLine, checkOneOf } from '../bounds/check-values.ts';
import { KEY_STATES, type KeyState } from '../model/states.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyQuery } from '../ports/store.ts';
import { Turns } from '../scheduling/turns.ts';
import { OPERATIONS } from './catalog.ts';
import { authenticRecords } from './authentic-records.ts';
import type { Operation } from './operation.ts';
import { showKey } from './policy-violations.ts';
import { listCursors } from './list-cursor.ts';

/** Which keys are listed: those that meet all of it. */
export interface ListKeysInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
  readonly state?: KeyState;
  readonly algorithm?: string;
  readonly purpose?: string;
  readonly name?: string;
}

/** A page of keys. */
export interface ListKeysResult {
  readonly items: readonly KeyDescription[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /** Names the keys whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/** A page of the tenant's keys, newest first. */
export async function listKeys({ kms, caller }: Operation, input: ListKeysInput): Promise<ListKeysResult> {
  requirePermission(caller, OPERATIONS.listKeys.permission);
  const { limit = BOUNDS.pageItems.default, cursor, ...filters } = input;
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  checkFilters(filters);
  const cursors = await listCursors<Position>(kms.hierarchy, caller.tenantId, 'keys', { ...filters });
  const query: KeyQuery = { ...filters, limit, after: cursor === undefined ? null : placeOf(cursors.open(cursor)) };
  const { tenantId } = caller;
  const turns = new Turns(tenantId);
  const { page, authentic, ...rest } = await kms.hierarchy.under(tenantId, async (chain, isNewest) => {
    const found = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) => unit.keys.list(query));
    return { page: found, ...(await authenticRecords(kms, chain, found.items, turns, isNewest)) };
  });
  const items: KeyDescription[] = [];
  for (const record of authentic) {
    await turns.pause();
    if (isAllowed(caller, OPERATIONS.listKeys.permission, record, kms.clock())) items.push(showKey(kms, record));
  }
  const last = page.items.at(-1);
  return {
    items,
    nextCursor:
      page.more && last !== undefined ? cursors.seal({ createdAt: last.createdAt.getTime(), keyId: last.keyId }) : null,
    ...rest,
  };
}

function checkFilters({ state, algorithm, purpose, name }: Omit<ListKeysInput, 'limit' | 'cursor'>): void {
  if (state !== undefined) checkOneOf('state', state, KEY_STATES);
  if (algorithm !== undefined) checkLine('algorithm', algorithm, BOUNDS.nameCharacters);
  if (purpose !== undefined) checkLine('purpose', purpose, BOUNDS.nameCharacters);
  if (name !== undefined) checkLine('name', name, BOUNDS.nameCharacters);
}

/** The last key of a page, in what a cursor holds. */
interface Position {
  readonly createdAt: number;
  readonly keyId: KeyId;
}

function placeOf({ createdAt, keyId }: Position): KeyQuery['after'] {
  return { createdAt: new Date(createdAt), keyId };
}
