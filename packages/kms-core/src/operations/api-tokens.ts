import { randomBytes } from 'node:crypto';
import { type Caller, requirePermission } from '../access/caller.ts';
import { effectivePermissions, type Permission, PERMISSIONS, type Role, ROLES } from '../access/permissions.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId, checkInstant, checkLine, checkOneOf } from '../bounds/check-values.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { fieldFacts } from '../evidence/field-facts.ts';
import type { RecordedChange } from '../evidence/operation-evidence.ts';
import { type TokenAuthority, tokenAuthority } from '../hierarchy/token-authority.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import { newId, type TenantId } from '../model/identifiers.ts';
import { KNOWN_FIELDS, NO_FIELDS } from '../model/record-fields.ts';
import type { StoreScope, UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { runOnce } from './run-once.ts';

export const TOKEN_PREFIX = 'qnsp_pqc_';
const TOKEN_BYTES = 32;

/** Whether a text has the shape of an API token: the prefix and 32 bytes in base64url. */
export function isApiToken(text: string): boolean {
  return /^qnsp_pqc_[\w-]{43}$/.test(text);
}

/** An API token as it is shown after its creation. */
export interface ApiTokenDescription {
  readonly tokenId: string;
  readonly tenantId: TenantId | null;
  readonly name: string;
  readonly role: Role | null;
  readonly permissions: readonly Permission[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

export interface CreatedApiToken extends ApiTokenDescription {
  /** The token itself; it is never shown again. */
  readonly token: string;
}

export interface CreateApiTokenInput {
  readonly name: string;
  readonly role?: Role | null;
  readonly permissions?: readonly Permission[];
  /** Later than now; if absent, the token never expires. */
  readonly expiresAt?: Date | null;
}

/** Creates an API token for the caller's tenant. Throws `FORBIDDEN` when it would hold more than the caller does, `CONFLICT` for a repeated call. */
export async function createApiToken(op: Operation, input: CreateApiTokenInput): Promise<CreatedApiToken> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.createToken.permission);
  checkToken(input);
  checkIdempotency(op.idempotency);
  const granted = effectivePermissions(input.role ?? null, input.permissions ?? []);
  for (const permission of granted) {
    if (!caller.permissions.has(permission)) {
      throw new KmsError(
        'FORBIDDEN',
        `The token would have ${permission}, which the credential itself does not have.`,
        { details: { permission } },
      );
    }
  }
  const authority = await tokenAuthority(kms.hierarchy);
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  let token: string | undefined;
  const described = await kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, (unit) =>
    runOnce(op, { unit, chain, what: 'create-token' }, async () => {
      if (input.expiresAt && input.expiresAt <= unit.now)
        throw badRequest('expiresAt', 'has already passed: the token could never be used');
      const made = makeToken(authority, caller.tenantId, input, unit.now);
      await unit.tokens.insert(made.record);
      await op.evidence?.changed(unit, tokenCreated(made.record));
      ({ token } = made);
      // Without the token: what is stored for a repeated call must not show it again.
      return describeToken(made.record);
    }),
  );
  if (token === undefined) throw shownOnce(described);
  return { ...described, token };
}

/** The answer to a repeated call that made a token. */
function shownOnce({ tokenId }: ApiTokenDescription): KmsError {
  return new KmsError(
    'CONFLICT',
    `This call created the token ${tokenId}, whose secret was shown once, in the first answer. If you lost it, revoke the token and create another one with a new idempotency key.`,
    { details: { tokenId } },
  );
}

/** What a new token is to be. Throws `BAD_REQUEST`. */
export function checkToken({ name, role, permissions = [], expiresAt }: CreateApiTokenInput): void {
  checkLine('name', name, BOUNDS.nameCharacters);
  if (role !== undefined && role !== null) checkOneOf('role', role, ROLES);
  if (!Array.isArray(permissions) || permissions.length > BOUNDS.tokenPermissions)
    throw badRequest('permissions', `must be a list of at most ${BOUNDS.tokenPermissions} permissions`);
  for (const permission of permissions) checkOneOf('permissions', permission, PERMISSIONS);
  if (!role && permissions.length === 0) throw badRequest('role', 'a role or at least one permission is needed');
  if (expiresAt !== undefined && expiresAt !== null) checkInstant('expiresAt', expiresAt);
}

/** The evidence of a token that ended. */
export function tokenRevoked({ tokenId }: ApiTokenRecord, at: Date): RecordedChange {
  return {
    eventType: OPERATIONS.revokeToken.event,
    resource: { type: 'token', id: tokenId, version: null },
    before: { revokedAt: null },
    after: { revokedAt: at.toISOString() },
  };
}

/** The evidence of a new token: what it may do, and nothing of the token itself. */
export function tokenCreated({ tokenId, name, role, permissions, expiresAt, fields }: ApiTokenRecord): RecordedChange {
  return {
    eventType: OPERATIONS.createToken.event,
    resource: { type: 'token', id: tokenId, version: null },
    before: null,
    after: {
      name,
      role,
      permissions,
      expiresAt: expiresAt?.toISOString() ?? null,
      ...fieldFacts(fields, KNOWN_FIELDS.token),
    },
  };
}

/** Makes a token and its record, without storing it. */
export function makeToken(
  authority: TokenAuthority,
  tenantId: TenantId | null,
  input: CreateApiTokenInput,
  now: Date,
): { readonly token: string; readonly record: ApiTokenRecord } {
  const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  const record = authority.sign({
    tokenId: newId(),
    tenantId,
    name: input.name,
    hash: authority.hash(token),
    role: input.role ?? null,
    permissions: input.permissions ?? [],
    createdAt: now,
    expiresAt: input.expiresAt ?? null,
    revokedAt: null,
    fields: NO_FIELDS,
  });
  return { token, record };
}

/** Revokes a token now; one that has already ended stays ended. Throws `NOT_FOUND` when the tenant never had such a token. */
export async function revokeApiToken(op: Operation, input: { readonly tokenId: string }): Promise<void> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.revokeToken.permission);
  checkId('tokenId', input.tokenId);
  checkIdempotency(op.idempotency);
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  const authority = await tokenAuthority(kms.hierarchy);
  try {
    await kms.store.transact(scopeOf(caller), (unit) =>
      runOnce(op, { unit, chain, what: 'revoke-token' }, async () => {
        const record = await unit.tokens.get(input.tokenId, { lock: true });
        if (record === undefined) throw new KmsError('NOT_FOUND', 'There is no token with this id.');
        if (record.revokedAt !== null) return null;
        await endToken(unit, authority, record);
        await op.evidence?.changed(unit, tokenRevoked(record, unit.now));
        return null;
      }),
    );
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    kms.tokens.forget(input.tokenId);
  }
}

/** Revokes a locked, live token: its record gets a new MAC, whether or not the old one was right. */
export async function endToken(unit: UnitOfWork, authority: TokenAuthority, record: ApiTokenRecord): Promise<void> {
  await unit.tokens.revoke(endedToken(unit, authority, record));
}

/** The record of a live token as its revocation leaves it. */
export function endedToken(unit: UnitOfWork, authority: TokenAuthority, record: ApiTokenRecord): ApiTokenRecord {
  return authority.signRevoked({ ...record, revokedAt: unit.now });
}

/** Shows a token, without the token itself. */
export function describeToken(record: ApiTokenRecord): ApiTokenDescription {
  const { tokenId, tenantId, name, role, permissions } = record;
  return {
    tokenId,
    tenantId,
    name,
    role,
    permissions,
    createdAt: record.createdAt.toISOString(),
    expiresAt: record.expiresAt?.toISOString() ?? null,
    revokedAt: record.revokedAt?.toISOString() ?? null,
  };
}

function scopeOf(caller: Caller): StoreScope {
  return { kind: 'tenant', tenantId: caller.tenantId };
}
