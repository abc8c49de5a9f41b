import { effectivePermissions, type Permission } from '../access/permissions.ts';
import { KmsError } from '../errors/kms-error.ts';
import { type TokenAuthority, tokenAuthority } from '../hierarchy/token-authority.ts';
import type { ApiTokenRecord } from '../model/api-token.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { Store } from '../ports/store.ts';
import type { Kms } from './kms.ts';

/** Who presents an API token. */
export interface TokenIdentity {
  readonly tokenId: string;
  readonly tenantId: TenantId | null;
  readonly permissions: ReadonlySet<Permission>;
}

/**
 * Finds out who presents a token.
 *
 * @throws KmsError `UNAUTHORIZED`, the same for an unknown, an expired and a revoked token; `INTERNAL_ERROR` for a token
 *   whose record somebody changed.
 */
export async function authenticateToken(
  kms: Pick<Kms, 'store' | 'hierarchy' | 'clock'>,
  token: string,
): Promise<TokenIdentity> {
  const authority = await tokenAuthority(kms.hierarchy);
  const record = await find(kms.store, authority, token);
  const expiresAt = record?.expiresAt ?? null;
  const expired = expiresAt !== null && expiresAt.getTime() <= kms.clock();
  if (record === undefined || record.revokedAt !== null || expired) {
    throw new KmsError('UNAUTHORIZED', 'The credential is not valid. Present a live API token as a bearer token.');
  }
  return {
    tokenId: record.tokenId,
    tenantId: record.tenantId,
    permissions: effectivePermissions(record.role, record.permissions),
  };
}

async function find(store: Store, authority: TokenAuthority, token: string): Promise<ApiTokenRecord | undefined> {
  const record = await store.findToken(authority.hash(token));
  if (record !== undefined) {
    authority.verify(record, 'hash');
    return record;
  }
  const legacy = await store.findToken(authority.legacyHash(token));
  if (legacy !== undefined) authority.verify(legacy, 'legacy-hash');
  return legacy;
}
