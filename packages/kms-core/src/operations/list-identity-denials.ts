import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkId, checkInteger } from '../bounds/check-values.ts';
import { IdentityAuthority } from '../hierarchy/identity-authority.ts';
import type { IdentityDenialQuery } from '../ports/store.ts';
import { Turns } from '../scheduling/turns.ts';
import { authenticOf } from './authentic-records.ts';
import { OPERATIONS } from './catalog.ts';
import { describeDenial, type IdentityDenialDescription } from './deny-identity.ts';
import { listCursors } from './list-cursor.ts';
import type { Operation } from './operation.ts';

export interface ListIdentityDenialsInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

export interface ListIdentityDenialsResult {
  readonly items: readonly IdentityDenialDescription[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /** Names the denials whose stored record was changed by somebody else: they refuse whom they are about, whenever it was issued. */
  readonly warnings?: readonly string[];
}

/** A page of the denials of the caller's tenant that have not ended, newest first, also of those that were lifted. */
export async function listIdentityDenials(
  { kms, caller }: Operation,
  input: ListIdentityDenialsInput,
): Promise<ListIdentityDenialsResult> {
  requirePermission(caller, OPERATIONS.listIdentityDenials.permission);
  const { tenantId } = caller;
  const { limit = BOUNDS.pageItems.default, cursor } = input;
  checkId('tenantId', tenantId);
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  const cursors = await listCursors<Position>(kms.hierarchy, tenantId, 'identity-denials', {});
  const after = cursor === undefined ? null : placeOf(cursors.open(cursor));
  const { page, authentic, ...rest } = await kms.hierarchy.under(tenantId, async (chain, isNewest) => {
    const authority = new IdentityAuthority(chain);
    const found = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      unit.identities.listDenials({ limit, after }),
    );
    const checked = await authenticOf(
      kms,
      found.items,
      (denial) => authority.verifyDenial(denial),
      ({ denialId }) => ['identity denial', denialId],
      new Turns(tenantId),
      isNewest,
    );
    return { page: found, ...checked };
  });
  const last = page.items.at(-1);
  return {
    items: authentic.map(describeDenial),
    nextCursor:
      page.more && last !== undefined
        ? cursors.seal({ createdAt: last.createdAt.getTime(), denialId: last.denialId })
        : null,
    ...rest,
  };
}

/** The last denial of a page, in what a cursor holds. */
interface Position {
  readonly createdAt: number;
  readonly denialId: string;
}

function placeOf({ createdAt, denialId }: Position): NonNullable<IdentityDenialQuery['after']> {
  return { createdAt: new Date(createdAt), denialId };
}
