import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkId, checkInteger } from '../bounds/check-values.ts';
import { IdentityAuthority } from '../hierarchy/identity-authority.ts';
import type { IdentityBindingQuery } from '../ports/store.ts';
import { Turns } from '../scheduling/turns.ts';
import { authenticOf } from './authentic-records.ts';
import { OPERATIONS } from './catalog.ts';
import { describeBinding, type IdentityBindingDescription } from './identity-bindings.ts';
import { listCursors } from './list-cursor.ts';
import type { Operation } from './operation.ts';

export interface ListIdentityBindingsInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

export interface ListIdentityBindingsResult {
  readonly items: readonly IdentityBindingDescription[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /** Names the bindings whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/** A page of the identity bindings of the caller's tenant, newest first. */
export async function listIdentityBindings(
  { kms, caller }: Operation,
  input: ListIdentityBindingsInput,
): Promise<ListIdentityBindingsResult> {
  requirePermission(caller, OPERATIONS.listIdentityBindings.permission);
  const { tenantId } = caller;
  const { limit = BOUNDS.pageItems.default, cursor } = input;
  checkId('tenantId', tenantId);
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  const cursors = await listCursors<Position>(kms.hierarchy, tenantId, 'identity-bindings', {});
  const after = cursor === undefined ? null : placeOf(cursors.open(cursor));
  const { page, authentic, ...rest } = await kms.hierarchy.under(tenantId, async (chain, isNewest) => {
    const authority = new IdentityAuthority(chain);
    const found = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      unit.identities.list({ limit, after }),
    );
    const checked = await authenticOf(
      kms,
      found.items,
      (binding) => authority.verifyBinding(binding),
      ({ bindingId }) => ['identity binding', bindingId],
      new Turns(tenantId),
      isNewest,
    );
    return { page: found, ...checked };
  });
  const last = page.items.at(-1);
  return {
    items: authentic.map(describeBinding),
    nextCursor:
      page.more && last !== undefined
        ? cursors.seal({ createdAt: last.createdAt.getTime(), bindingId: last.bindingId })
        : null,
    ...rest,
  };
}

/** The last binding of a page, in what a cursor holds. */
interface Position {
  readonly createdAt: number;
  readonly bindingId: string;
}

function placeOf({ createdAt, bindingId }: Position): NonNullable<IdentityBindingQuery['after']> {
  return { createdAt: new Date(createdAt), bindingId };
}
