import { type ApiTokenRecord, identityOfToken } from '../access/api-token.ts';
import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkBoolean, checkId } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { type TokenAuthority, tokenAuthority } from '../hierarchy/token-authority.ts';
import { fieldOf, TOKEN_OVERLAP_END } from '../model/record-fields.ts';
import { Turns } from '../scheduling/turns.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { endedToken, endToken, tokenRevoked } from './api-tokens.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { runOnce } from './run-once.ts';

/** Which token is revoked, and whether its lineage is too. */
export interface RevokeApiTokenInput {
  readonly tokenId: string;
  /** Whether to end its lineage with it: what replaced it, what it replaced, and all that any of them created, level by level. */
  readonly cascade?: boolean;
}

/** What a revocation ended. */
export interface RevokedTokens {
  /** How many tokens this call ended, without those of the lineage that had ended by themselves; none when it is repeated. */
  readonly revoked: number;
  /** Whether live tokens of the lineage are left, as one call ends a bounded number: call again. */
  readonly more: boolean;
  /** What this call did not end and its caller may take for ended. */
  readonly warnings?: readonly string[];
}

/** How many tokens are signed and written at a time. */
const TOKENS_AT_ONCE = 200;

/**
 * Ends a token now, in one unit of work with its lineage if that is asked for; what ended already stays so. Throws `NOT_FOUND` when
 * the tenant never had such a token.
 */
export async function revokeApiToken(
  op: Operation,
  { tokenId, cascade = false }: RevokeApiTokenInput,
): Promise<RevokedTokens> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.revokeToken.permission);
  checkId('tokenId', tokenId);
  checkBoolean('cascade', cascade);
  checkIdempotency(op.idempotency);
  const authority = await tokenAuthority(kms.hierarchy);
  const ended = new Set([tokenId]);
  const { tenantId } = caller;
  const revoke = (chain: MasterKeyChain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce<RevokedTokens | null>(op, { unit, chain, what: 'revoke-token' }, async () => {
        const record = await unit.tokens.get(tokenId, { lock: !cascade });
        if (record === undefined) throw new KmsError('NOT_FOUND', 'There is no token with this id.');
        if (cascade) return endLineage(op, { unit, authority }, record, ended);
        if (record.revokedAt !== null) return revokedAlone(record, 0);
        await endToken(unit, authority, record);
        await op.evidence?.changed(unit, tokenRevoked(record, unit.now));
        return revokedAlone(record, 1);
      }),
    );
  try {
    const answer = await kms.hierarchy.under(tenantId, revoke);
    // An answer that was kept by an earlier release says nothing.
    return answer ?? { revoked: 0, more: false };
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    for (const each of ended) kms.tokens.forget(each);
  }
}

/** Anyone who revokes a token because it was stolen must know that another secret of the same identity is still taken. */
function revokedAlone({ fields }: ApiTokenRecord, revoked: 0 | 1): RevokedTokens {
  const alone = { revoked, more: false };
  if (fieldOf(fields, TOKEN_OVERLAP_END) === undefined) return alone;
  const warning =
    'The token was rotated, and this call does not revoke the one that replaced it. To revoke the whole lineage, repeat it with cascade.';
  return { ...alone, warnings: [warning] };
}

/** @param seen gets the ids of what it ends */
async function endLineage(
  op: Operation,
  { unit, authority }: { readonly unit: UnitOfWork; readonly authority: TokenAuthority },
  top: ApiTokenRecord,
  seen: Set<string>,
): Promise<RevokedTokens> {
  const turns = new Turns(op.caller.tenantId);
  const identity = identityOfToken(top);
  let revoked = 0;
  while (revoked < BOUNDS.lineageTokens) {
    // Again until there is none: who created a token meanwhile held its parent until now, and what is locked creates no more.
    const live = await unit.tokens.lockLineage(identity, TOKENS_AT_ONCE);
    if (live.length === 0) return { revoked, more: false };
    for (const { tokenId } of live) seen.add(tokenId);
    const ended: ApiTokenRecord[] = [];
    for (const token of live) {
      await turns.pause();
      // What somebody wrote into the database ends too, but must not come out of it with a MAC that says it was ours.
      const isOurs = authority.isAuthentic(token);
      ended.push(isOurs ? endedToken(unit, authority, token) : { ...token, revokedAt: unit.now });
    }
    await unit.tokens.revoke(...ended);
    revoked += live.length;
    await op.evidence?.changed(unit, lineageRevoked(top, live, unit.now));
  }
  return { revoked, more: (await unit.tokens.lockLineage(identity, 1)).length > 0 };
}

/** The evidence of tokens that ended with another one: some of them at a time, by id. */
function lineageRevoked({ tokenId }: ApiTokenRecord, ended: readonly ApiTokenRecord[], at: Date) {
  return {
    eventType: OPERATIONS.revokeToken.event,
    resource: { type: 'token', id: tokenId, version: null },
    before: { revokedAt: null },
    after: { revokedAt: at.toISOString(), cascade: true, tokenIds: ended.map((token) => token.tokenId).sort() },
  } as const;
}
