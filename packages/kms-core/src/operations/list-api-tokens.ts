import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkId, checkInteger } from '../bounds/check-values.ts';
import { tokenAuthority } from '../hierarchy/token-authority.ts';
import type { TokenQuery } from '../ports/store.ts';
import { Turns } from '../scheduling/turns.ts';
import { OPERATIONS } from './catalog.ts';
import { type ApiTokenDescription, describeToken } from './api-tokens.ts';
import { authenticOf } from './authentic-records.ts';
import type { Operation } from './operation.ts';
import { listCursors } from './list-cursor.ts';

/** Which page of tokens is listed. */
export interface ListApiTokensInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** A page of tokens. */
export interface ListApiTokensResult {
  readonly items: readonly ApiTokenDescription[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /** Names the tokens whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/**
 * A page of the tenant's tokens, newest first, without the tokens themselves. A record without a MAC, as tokens once had,
 * can be anybody's: like one with a wrong MAC it is named in the warnings and not shown.
 */
export async function listApiTokens(
  { kms, caller }: Operation,
  input: ListApiTokensInput,
): Promise<ListApiTokensResult> {
  requirePermission(caller, OPERATIONS.listTokens.permission);
  const { tenantId } = caller;
  const { limit = BOUNDS.pageItems.default, cursor } = input;
  checkId('tenantId', tenantId);
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  const cursors = await listCursors<Position>(kms.hierarchy, tenantId, 'tokens', {});
  const after = cursor === undefined ? null : placeOf(cursors.open(cursor));
  const authority = await tokenAuthority(kms.hierarchy);
  const page = await kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
    const found = await unit.tokens.list({ limit, after });
    return { ...found, uses: await unit.tokens.lastUses(found.items.map((token) => token.tokenId)) };
  });
  const { authentic, ...rest } = await authenticOf(
    kms,
    page.items,
    (token) => authority.verify(token, 'hash'),
    ({ tokenId }) => ['token', tokenId],
    new Turns(tenantId),
  );
  const last = page.items.at(-1);
  return {
    items: authentic.map((token) => describeToken(token, page.uses.get(token.tokenId))),
    nextCursor:
      page.more && last !== undefined
        ? cursors.seal({ createdAt: last.createdAt.getTime(), tokenId: last.tokenId })
        : null,
    ...rest,
  };
}

/** The last token of a page, in what a cursor holds. */
interface Position {
  readonly createdAt: number;
  readonly tokenId: string;
}

function placeOf({ createdAt, tokenId }: Position): NonNullable<TokenQuery['after']> {
  return { createdAt: new Date(createdAt), tokenId };
}
