import { type Caller, requirePermission } from '../access/caller.ts';
import { isAllowed } from '../access/evaluate-policy.ts';
import type { KeyState } from '../lifecycle/operations.ts';
import { badRequest } from '../errors/kms-error.ts';
import { describeKey, type KeyDescription } from '../model/describe-key.ts';
import { isUuid } from '../model/identifiers.ts';
import type { KeyQuery } from '../ports/store.ts';
import { authenticRecords } from './authentic-records.ts';
import type { Kms } from './kms.ts';

export interface ListKeysInput {
  /** From 1 to 200; 50 without it. */
  readonly limit?: number;
  readonly cursor?: string;
  readonly state?: KeyState;
  readonly algorithm?: string;
  readonly purpose?: string;
  readonly name?: string;
}

export interface ListKeysResult {
  readonly items: readonly KeyDescription[];
  /** Where the next page starts; `null` after the last one. */
  readonly nextCursor: string | null;
  /** Names the keys whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/** A page of the tenant's keys, newest first. */
export async function listKeys(kms: Kms, caller: Caller, input: ListKeysInput): Promise<ListKeysResult> {
  requirePermission(caller, 'kms:keys:read');
  const { limit = 50, cursor, ...filters } = input;
  const query: KeyQuery = { ...filters, limit, after: cursor === undefined ? null : decodeCursor(cursor) };
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  const page = await kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, (unit) => unit.keys.list(query));
  const { authentic, ...rest } = authenticRecords(chain, page.items);
  const last = page.items.at(-1);
  return {
    items: authentic
      .filter((record) => isAllowed(caller, 'kms:keys:read', record, kms.clock()))
      .map((record) => describeKey(record)),
    nextCursor: page.more && last !== undefined ? encodeCursor(last.createdAt, last.keyId) : null,
    ...rest,
  };
}

function encodeCursor(createdAt: Date, keyId: string): string {
  return Buffer.from(`${createdAt.getTime()}.${keyId}`, 'utf8').toString('base64url');
}

function decodeCursor(cursor: string): { createdAt: Date; keyId: string } {
  const [time = '', keyId = '', ...rest] = Buffer.from(cursor, 'base64url').toString('utf8').split('.');
  if (rest.length > 0 || !/^\d{1,15}$/.test(time) || !isUuid(keyId))
    throw badRequest('cursor', 'not a cursor that a list answered');
  return { createdAt: new Date(Number(time)), keyId };
}
