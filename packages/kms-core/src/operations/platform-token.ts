import { badRequest } from '../errors/kms-error.ts';
import { tokenAuthority } from '../hierarchy/token-authority.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import { Turns } from '../scheduling/turns.ts';
import { NO_FIELDS } from '../model/record-fields.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { newId, SYSTEM_TENANT } from '../model/identifiers.ts';
import { endToken, isApiToken, tokenCreated, tokenRevoked } from './api-tokens.ts';
import type { Kms } from './kms.ts';
import type { Operation } from './operation.ts';

/**
 * Makes the token that the operator chose the only one that is valid for the whole platform: an earlier one is revoked,
 * and without a token every one is. A token that was revoked once stays revoked.
 */
export async function installPlatformToken(
  { kms, evidence }: Operation<Pick<Kms, 'store' | 'hierarchy'>>,
  token: string | undefined,
): Promise<void> {
  if (token !== undefined && !isApiToken(token))
    throw badRequest('token', 'must be qnsp_pqc_ and 43 characters of base64url');
  const authority = await tokenAuthority(kms.hierarchy);
  const hashes = token === undefined ? [] : [authority.hash(token), authority.legacyHash(token)];
  await kms.store.transact({ kind: 'system' }, async (unit) => {
    // One node at a time: two that start together would both make the token.
    await unit.tenants.lockRoots();
    const isWanted = (candidate: ApiTokenRecord) => hashes.some((hash) => Buffer.compare(candidate.hash, hash) === 0);
    let isKnown = false;
    const turns = new Turns(SYSTEM_TENANT);
    for await (const candidate of platformTokens(unit)) {
      await turns.pause();
      if (isWanted(candidate)) isKnown = true;
      if (isWanted(candidate) || candidate.revokedAt !== null) continue;
      await endToken(unit, authority, candidate);
      await evidence?.changed(unit, tokenRevoked(candidate, unit.now));
    }
    if (token === undefined || isKnown) return;
    const record = authority.sign({
      tokenId: newId(),
      tenantId: null,
      name: 'platform token of the configuration',
      hash: authority.hash(token),
      role: 'platform_admin',
      permissions: [],
      createdAt: unit.now,
      expiresAt: null,
      revokedAt: null,
      fields: NO_FIELDS,
    });
    await unit.tokens.insert(record);
    await evidence?.changed(unit, tokenCreated(record));
  });
}

/** All tokens of the platform, some at a time. */
async function* platformTokens(unit: UnitOfWork): AsyncGenerator<ApiTokenRecord, void, void> {
  let last: ApiTokenRecord | undefined;
  for (let more = true; more; ) {
    const page = await unit.tokens.list({ tenantId: null, limit: 200, after: last ?? null });
    yield* page.items;
    last = page.items.at(-1);
    more = page.more;
  }
}
