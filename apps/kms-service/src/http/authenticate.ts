import type { RawRequest, Route } from '@qnsp/kms-contract';
import {
  authenticateToken,
  type Caller,
  KmsError,
  type Kms,
  type MaybePromise,
  notAuthorized,
  SYSTEM_TENANT,
  TOKEN_PREFIX,
  type TokenIdentity,
} from '@qnsp/kms-core';
import { namedTenant, namesTenant } from './tenant.ts';

const BEARER = /^Bearer +(\S+) *$/i;

/** Finds out whose credential a request presents, without a promise when it is known. Throws `UNAUTHORIZED`. */
export function identify(kms: Kms, authorization: string | undefined): MaybePromise<TokenIdentity> {
  const credential = BEARER.exec(authorization ?? '')?.[1];
  if (credential === undefined)
    throw new KmsError('UNAUTHORIZED', 'A bearer credential is needed: send "authorization: Bearer <API token>".');
  if (!credential.startsWith(TOKEN_PREFIX)) throw notAuthorized();
  return authenticateToken(kms, credential);
}

/**
 * Turns a credential into the caller of one request: settles for which tenant it is.
 *
 * @throws KmsError `TENANT_MISMATCH`, or `BAD_REQUEST` for a platform credential that names no tenant where one is needed.
 */
export function authenticate(identity: TokenIdentity, route: Route, raw: RawRequest, ip: string | null): Caller {
  // On platform routes a tenant in the body is what the call is about, not who calls.
  const platform =
    identity.tenantId === null && (route.scope === 'platform' || (route.scope === 'either' && !namesTenant(raw)));
  return {
    tenantId: platform ? SYSTEM_TENANT : namedTenant(identity.tenantId, raw),
    subject: identity.tokenId,
    permissions: identity.permissions,
    attributes: { ip, mfa: false },
  };
}
