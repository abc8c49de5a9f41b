import { BOUNDS } from '../bounds/bounds.ts';
import { checkInteger } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { type TokenAuthority, tokenAuthority } from '../hierarchy/token-authority.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import type { ExpiredToken, UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import { type Operation, unattended } from './operation.ts';

export interface TokenRetention {
  /** How long after its expiry a token is kept, in whole seconds. */
  readonly seconds: number;
}

export interface RemovedTokens {
  readonly removed: number;
  /** How many expired long enough ago and are kept all the same, because somebody else changed their records. */
  readonly kept: number;
}

const TOKENS_PER_UNIT = 100;
/** The rest has its turn in the next run. */
const UNITS_PER_RUN = 20;

/**
 * Removes tokens of tenants that expired so long ago that nobody asks for them any more. One that was revoked and has not
 * expired stays: somebody who writes to the database could put its earlier row back, which is authentic, and it would be valid again.
 * Tokens of the platform stay for the same reason. What is removed is in the evidence of its tenant, by id. Any number of nodes
 * may run it at once.
 *
 * @param signal ends the run after the tokens that it is at
 */
export async function removeExpiredTokens(
  service: Operation,
  { seconds }: TokenRetention,
  signal: AbortSignal,
): Promise<RemovedTokens> {
  checkInteger('seconds', seconds, BOUNDS.retentionSeconds.minimum, BOUNDS.retentionSeconds.maximum);
  const { kms } = service;
  const authority = await tokenAuthority(kms.hierarchy);
  let [removed, kept] = [0, 0];
  let after: ExpiredToken | undefined;
  for (let units = 0; units < UNITS_PER_RUN && !signal.aborted; units += 1) {
    const page = await kms.store.transact({ kind: 'system' }, async (unit) => {
      const expiredBefore = new Date(unit.now.getTime() - seconds * 1000);
      const found = await unit.tokens.lockExpired(expiredBefore, TOKENS_PER_UNIT, after);
      // A record that somebody wrote in place of the KMS may say that a live token expired.
      const authentic = found.filter((token) => isAuthentic(authority, token));
      await unit.tokens.remove(
        authentic.map(({ tokenId }) => tokenId),
        expiredBefore,
      );
      await recordRemoval(service, unit, authentic, expiredBefore);
      return { found, removed: authentic.length };
    });
    removed += page.removed;
    kept += page.found.length - page.removed;
    after = placeOf(page.found.at(-1));
    if (page.found.length < TOKENS_PER_UNIT) break;
  }
  return { removed, kept };
}

async function recordRemoval(
  service: Operation,
  unit: UnitOfWork,
  tokens: readonly ApiTokenRecord[],
  expiredBefore: Date,
): Promise<void> {
  const eventType = OPERATIONS.removeExpiredTokens.event;
  for (const [tenantId, removed] of Map.groupBy(tokens, (token) => token.tenantId)) {
    const { evidence } = unattended(service, 'removeExpiredTokens', tenantId ?? SYSTEM_TENANT);
    await evidence?.changed(unit, {
      eventType,
      resource: { type: 'token', id: null, version: null },
      before: { expiredBefore: expiredBefore.toISOString(), tokenIds: removed.map(({ tokenId }) => tokenId) },
      after: null,
    });
  }
}

function isAuthentic(authority: TokenAuthority, token: ApiTokenRecord): boolean {
  try {
    authority.verify(token, 'hash');
    return true;
  } catch (error) {
    if (!KmsError.is(error) || error.code !== 'INTERNAL_ERROR') throw error;
    return false;
  }
}

function placeOf(token: ApiTokenRecord | undefined): ExpiredToken | undefined {
  return token === undefined || token.expiresAt === null
    ? undefined
    : { expiredAt: token.expiresAt, tokenId: token.tokenId };
}
