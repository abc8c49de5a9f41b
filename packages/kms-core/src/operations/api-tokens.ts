import { createHmac, randomBytes } from 'node:crypto';
import { type Caller, requirePermission } from '../access/caller.ts';
import { effectivePermissions, type Permission, type Role } from '../access/permissions.ts';
import { KmsError } from '../errors/kms-error.ts';
import { andThen, type MaybePromise } from '../engines/engine.ts';
import { deriveKey } from '../hierarchy/derive.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import { notAuthorized, type TokenIdentity } from '../keyring/token-ring.ts';
import type { ApiTokenRecord } from '../model/api-token.ts';
import { newId, SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { StoreScope } from '../ports/store.ts';
import type { Kms } from './kms.ts';
import { type IdempotencyRequest, runOnce } from './run-once.ts';

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
  readonly expiresAt?: Date | null;
  readonly idempotency?: IdempotencyRequest;
}

/** Creates an API token for the caller's tenant. Throws `FORBIDDEN` when it would hold more than the caller does. */
export async function createApiToken(kms: Kms, caller: Caller, input: CreateApiTokenInput): Promise<CreatedApiToken> {
  requirePermission(caller, 'kms:tokens:manage');
  const granted = effectivePermissions(input.role ?? null, input.permissions ?? []);
  for (const permission of granted) {
    if (!caller.permissions.has(permission)) {
      throw new KmsError(
        'FORBIDDEN',
        `The token would hold ${permission}, which the credential does not hold itself.`,
        { details: { permission } },
      );
    }
  }
  const pepper = await tokenPepper(kms.hierarchy);
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  return kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, (unit) =>
    runOnce(unit, chain, input.idempotency, async () => {
      const { token, record } = makeToken(pepper, caller.tenantId, input, unit.now);
      await unit.tokens.insert(record);
      return { ...describeToken(record), token };
    }),
  );
}

/**
 * Makes the token that the operator chose the only one that is valid for the whole platform: an earlier one is revoked,
 * and without a token every one is. A token that was revoked once stays revoked.
 */
export async function installPlatformToken(
  kms: Pick<Kms, 'store' | 'hierarchy'>,
  token: string | undefined,
): Promise<void> {
  const pepper = await tokenPepper(kms.hierarchy);
  const hash = token === undefined ? undefined : pepper(token);
  await kms.store.transact({ kind: 'system' }, async (unit) => {
    // One node at a time: two that start together would both make the token.
    await unit.tenants.lockRoots();
    const known = (await unit.tokens.list()).filter((candidate) => candidate.tenantId === null);
    const isWanted = (candidate: ApiTokenRecord) => hash !== undefined && Buffer.compare(candidate.hash, hash) === 0;
    for (const candidate of known) {
      if (!isWanted(candidate) && candidate.revokedAt === null) await unit.tokens.revoke(candidate.tokenId);
    }
    if (hash === undefined || known.some(isWanted)) return;
    await unit.tokens.insert({
      tokenId: newId(),
      tenantId: null,
      name: 'platform token of the configuration',
      hash,
      role: 'platform_admin',
      permissions: [],
      createdAt: unit.now,
      expiresAt: null,
      revokedAt: null,
    });
  });
}

/** Makes a token and its record, without storing it. */
export function makeToken(
  pepper: TokenPepper,
  tenantId: TenantId | null,
  input: CreateApiTokenInput,
  now: Date,
): { readonly token: string; readonly record: ApiTokenRecord } {
  const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  const record: ApiTokenRecord = {
    tokenId: newId(),
    tenantId,
    name: input.name,
    hash: pepper(token),
    role: input.role ?? null,
    permissions: input.permissions ?? [],
    createdAt: now,
    expiresAt: input.expiresAt ?? null,
    revokedAt: null,
  };
  return { token, record };
}

/** The tenant's tokens, without the tokens themselves. */
export async function listApiTokens(kms: Kms, caller: Caller): Promise<readonly ApiTokenDescription[]> {
  requirePermission(caller, 'kms:tokens:manage');
  const tokens = await kms.store.transact(scopeOf(caller), (unit) => unit.tokens.list());
  return tokens.map(describeToken);
}

/** Ends a token now. Throws `NOT_FOUND` when the tenant has no such token. */
export async function revokeApiToken(
  kms: Kms,
  caller: Caller,
  input: { readonly tokenId: string; readonly idempotency?: IdempotencyRequest },
): Promise<void> {
  requirePermission(caller, 'kms:tokens:manage');
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  try {
    await kms.store.transact(scopeOf(caller), (unit) =>
      runOnce(unit, chain, input.idempotency, async () => {
        if (await unit.tokens.revoke(input.tokenId)) return null;
        throw new KmsError('NOT_FOUND', 'There is no live token with this id.');
      }),
    );
  } finally {
    // Also when it failed: the answer of a commit can be lost.
    kms.tokens.forget(input.tokenId);
  }
}

/**
 * Finds out who presents a token, without a promise when the token is held in memory.
 *
 * @throws KmsError `UNAUTHORIZED`, the same for an unknown, an expired and a revoked token.
 */
export function authenticateToken(
  kms: Pick<Kms, 'tokens' | 'hierarchy' | 'clock'>,
  token: string,
): MaybePromise<TokenIdentity> {
  return andThen(heldPepper(kms.hierarchy), (pepper) =>
    andThen(kms.tokens.find(pepper(token)), ({ expiresAt, identity }) => {
      if (expiresAt !== null && expiresAt.getTime() <= kms.clock()) throw notAuthorized();
      return identity;
    }),
  );
}

/** The keyed hash under which tokens are stored. */
export type TokenPepper = (token: string) => Buffer;

const peppers = new WeakMap<KeyHierarchy, TokenPepper>();

/** The pepper, without a promise from the second time on: it is the same for the life of a database. */
function heldPepper(hierarchy: KeyHierarchy): MaybePromise<TokenPepper> {
  return (
    peppers.get(hierarchy) ??
    tokenPepper(hierarchy).then((pepper) => {
      peppers.set(hierarchy, pepper);
      return pepper;
    })
  );
}

/** HMAC-SHA-256 under a key derived from the service's own master key: the database alone can not test a guess. */
export async function tokenPepper(hierarchy: KeyHierarchy): Promise<TokenPepper> {
  const chain = await hierarchy.masterKeys(SYSTEM_TENANT);
  // Always the first version: a token is hashed once and must be found after the master key was rotated.
  const key = deriveKey(chain.version(1).key, 'qnsp-kms/v1/token-pepper');
  return (token) => createHmac('sha256', key).update(token).digest();
}

function describeToken(record: ApiTokenRecord): ApiTokenDescription {
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
