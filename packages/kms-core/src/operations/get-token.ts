import { requirePermission } from '../access/caller.ts';
import { checkId } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { tokenAuthority } from '../hierarchy/token-authority.ts';
import { type ApiTokenDescription, describeToken } from './api-tokens.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';

/**
 * A token of the tenant, without the token itself. Throws `NOT_FOUND` when the tenant has no such token, `INTERNAL_ERROR` for one
 * whose record somebody changed.
 */
export async function getApiToken(op: Operation, input: { readonly tokenId: string }): Promise<ApiTokenDescription> {
  requirePermission(op.caller, OPERATIONS.getToken.permission);
  checkId('tenantId', op.caller.tenantId);
  checkId('tokenId', input.tokenId);
  return describeStored(op, input.tokenId);
}

/** The token that makes the call. Throws `NOT_FOUND` when it was made with another kind of credential, or one of the platform. */
export async function getOwnApiToken(op: Operation): Promise<ApiTokenDescription> {
  const { credential, tenantId } = op.caller;
  checkId('tenantId', tenantId);
  if (credential?.tokenId === undefined || credential.tenantId === null)
    throw new KmsError('NOT_FOUND', 'The credential is not an API token of a tenant.');
  return describeStored(op, credential.tokenId);
}

async function describeStored({ kms, caller }: Operation, tokenId: string): Promise<ApiTokenDescription> {
  const authority = await tokenAuthority(kms.hierarchy);
  const { record, uses } = await kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, async (unit) => ({
    record: await unit.tokens.get(tokenId),
    uses: await unit.tokens.lastUses([tokenId]),
  }));
  if (record === undefined) throw new KmsError('NOT_FOUND', 'There is no token with this id.');
  authority.verify(record, record.mac === null && tokenId === caller.credential?.tokenId ? 'legacy-hash' : 'hash');
  return describeToken(record, uses.get(tokenId));
}
