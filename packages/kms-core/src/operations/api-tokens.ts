import { randomBytes } from 'node:crypto';
import { type AccessKeyCredentials, accessKeyIdOf } from '../access/access-key.ts';
import { isAddressBlock } from '../access/address-set.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import { type Caller, requireHeld } from '../access/caller.ts';
import { effectivePermissions, type Permission, PERMISSIONS, type Role, ROLES } from '../access/permissions.ts';
import { limitsOf, limitsOfCaller, requireWithin, type TokenLimits } from '../access/token-grant.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkBoolean, checkId, checkInstant, checkInteger, checkLine, checkOneOf } from '../bounds/check-values.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { fieldFacts } from '../evidence/field-facts.ts';
import type { RecordedChange } from '../evidence/operation-evidence.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { type TokenAuthority, tokenAuthority } from '../hierarchy/token-authority.ts';
import { type KeyId, newId, type TenantId } from '../model/identifiers.ts';
import { atMost } from '../model/quotas.ts';
import {
  fieldOf,
  KNOWN_FIELDS,
  NO_FIELDS,
  type RecordFields,
  TOKEN_ACCESS_KEY_SALT,
  TOKEN_ADDRESSES,
  TOKEN_CREATOR,
  TOKEN_KEYS,
  TOKEN_OVERLAP_END,
  TOKEN_PARENT,
  TOKEN_PURPOSE,
  TOKEN_RATE,
  TOKEN_REPLACES,
  withField,
} from '../model/record-fields.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import { holdCredential } from './hold-credential.ts';
import type { Operation } from './operation.ts';
import { runOnce } from './run-once.ts';

export const TOKEN_PREFIX = 'qnsp_pqc_';
const TOKEN_BYTES = 32;
const SALT_BYTES = 16;

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
  /** What it is for, in the words of who made it. */
  readonly purpose: string | null;
  /** The only keys that it is for; `null` is every key. */
  readonly keys: readonly KeyId[] | null;
  /** The only addresses, and blocks of them, that it is taken from; `null` is every address. */
  readonly addresses: readonly string[] | null;
  /** How many units of cost it may take in a second; `null` is as many as the tenant. */
  readonly rate: number | null;
  /** Who created it; `null` where that was not recorded, as in tokens from before it was. */
  readonly creator: string | null;
  /** The token that created it, by the id of the first one of those that replaced one another; `null` where none did. */
  readonly parentTokenId: string | null;
  /** The token that it replaced when that was rotated. */
  readonly replaces: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Until when it is taken, where it was rotated and another one replaced it. */
  readonly overlapEndsAt: string | null;
  readonly revokedAt: string | null;
  /** The hour in which it was last used, as far as that was written down; `null` where it was not. */
  readonly lastUsedAt: string | null;
}

/** A new token, with its secret. */
export interface CreatedApiToken extends ApiTokenDescription {
  /** The token itself; it is never shown again. */
  readonly token: string;
  /** What signs requests in its place; never shown again. Absent where none was asked for. */
  readonly awsCredentials?: AccessKeyCredentials;
}

/** What a new token may do, and until when. */
export interface CreateApiTokenInput {
  readonly name: string;
  readonly role?: Role | null;
  readonly permissions?: readonly Permission[];
  /** Later than now; default: that of the credential which creates it, or never. */
  readonly expiresAt?: Date | null;
  readonly purpose?: string;
  /** The only keys that it is for; default: those of the credential which creates it. */
  readonly keys?: readonly KeyId[];
  /** The only addresses, and CIDR blocks of them, that it is taken from; default: those of the credential which creates it. */
  readonly addresses?: readonly string[];
  /** How many units of cost it may take in a second; default: that of the credential which creates it. */
  readonly rate?: number;
  /** Whether requests can be signed with it as AWS's clients do; default: they cannot. */
  readonly awsCredentials?: boolean;
}

/** Where a token comes from. */
interface Descent {
  readonly creator: string;
  /** The identity of the token that creates it. */
  readonly parentTokenId: string | undefined;
}

/**
 * Creates an API token for the caller's tenant, within all limits of the caller's own credential. Throws `FORBIDDEN` when it would
 * hold more than the caller does, `CONFLICT` for a repeated call.
 */
export async function createApiToken(op: Operation, input: CreateApiTokenInput): Promise<CreatedApiToken> {
  const { kms, caller } = op;
  // A credential for some keys makes others for these keys.
  requireHeld(caller, OPERATIONS.createToken.permission);
  checkToken(input);
  checkIdempotency(op.idempotency);
  const authority = await tokenAuthority(kms.hierarchy);
  const { tenantId } = caller;
  const quotas = await kms.quotas.of(tenantId);
  let shown: ShownOnce | undefined;
  const create = (chain: MasterKeyChain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'create-token' }, async () => {
        const creator = await holdCredential(unit, authority, caller);
        const limits = limitsWithin(creator, input);
        const permissions = effectivePermissions(input.role ?? null, input.permissions ?? []);
        requireWithin(creator, { ...limits, permissions });
        if (input.expiresAt && input.expiresAt <= unit.now)
          throw badRequest('expiresAt', 'has already passed: the token could never be used');
        const made = makeToken(authority, caller.tenantId, { ...input, ...limits }, unit.now, descentOf(caller));
        await unit.tokens.insert(made.record, { atMost: atMost(quotas.tokens) });
        await op.evidence?.changed(unit, tokenCreated(made.record));
        ({ shown } = made);
        // Without the token: what is stored for a repeated call must not show it again.
        return describeToken(made.record);
      }),
    );
  const described = await kms.hierarchy.under(tenantId, create);
  if (shown === undefined) throw shownOnce(described);
  return { ...described, ...shown };
}

/** The limits of a new token: those that are asked for, and where none is, the creator's own. */
function limitsWithin(caller: Caller, { keys, addresses, rate, expiresAt }: CreateApiTokenInput): TokenLimits {
  const own = limitsOfCaller(caller);
  return {
    keys: keys === undefined ? own.keys : [...new Set(keys)].sort(),
    addresses: addresses === undefined ? own.addresses : [...new Set(addresses)].sort(),
    rate: rate ?? own.rate,
    expiresAt: expiresAt ?? own.expiresAt,
  };
}

function descentOf({ subject, credential }: Caller): Descent {
  return { creator: subject, parentTokenId: credential?.tokenId === undefined ? undefined : subject };
}

/** The answer to a repeated call that made a token. */
export function shownOnce({ tokenId }: Pick<ApiTokenDescription, 'tokenId'>): KmsError {
  return new KmsError(
    'CONFLICT',
    `This call created the token ${tokenId}, whose secret was shown once, in the first answer. If you lost it, revoke the token and create another one with a new idempotency key.`,
    { details: { tokenId } },
  );
}

/** What a new token is to be. Throws `BAD_REQUEST`. */
export function checkToken(input: CreateApiTokenInput): void {
  const { name, role, permissions = [], expiresAt, purpose, awsCredentials } = input;
  checkLine('name', name, BOUNDS.nameCharacters);
  if (role !== undefined && role !== null) checkOneOf('role', role, ROLES);
  if (!Array.isArray(permissions) || permissions.length > BOUNDS.tokenPermissions)
    throw badRequest('permissions', `must be a list of at most ${BOUNDS.tokenPermissions} permissions`);
  for (const permission of permissions) checkOneOf('permissions', permission, PERMISSIONS);
  if (!role && permissions.length === 0) throw badRequest('role', 'a role or at least one permission is needed');
  if (expiresAt !== undefined && expiresAt !== null) checkInstant('expiresAt', expiresAt);
  if (purpose !== undefined) checkLine('purpose', purpose, BOUNDS.reasonCharacters);
  if (awsCredentials !== undefined) checkBoolean('awsCredentials', awsCredentials);
  checkLimits(input);
}

function checkLimits({ keys, addresses, rate }: CreateApiTokenInput): void {
  if (keys !== undefined) {
    checkSome('keys', keys, BOUNDS.tokenKeys);
    keys.forEach((keyId, index) => checkId(`keys.${index}`, keyId));
  }
  if (addresses !== undefined) {
    checkSome('addresses', addresses, BOUNDS.tokenAddresses);
    addresses.forEach((block, index) => {
      if (typeof block !== 'string' || !isAddressBlock(block))
        throw badRequest(`addresses.${index}`, 'must be an IP address or a CIDR block');
    });
  }
  if (rate !== undefined) checkInteger('rate', rate, BOUNDS.tokenRate.minimum, BOUNDS.tokenRate.maximum);
}

/** An empty list would allow nothing, where its sender may have meant everything. */
function checkSome(path: string, values: readonly unknown[], maximum: number): void {
  if (!Array.isArray(values) || values.length === 0 || values.length > maximum)
    throw badRequest(path, `must be a list of 1 to ${maximum}; leave it out for no limit`);
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
  input: CreateApiTokenInput | (Omit<CreateApiTokenInput, keyof TokenLimits> & TokenLimits),
  now: Date,
  descent?: Descent,
): NewToken {
  return sealToken(authority, {
    tokenId: newId(),
    tenantId,
    name: input.name,
    role: input.role ?? null,
    permissions: input.permissions ?? [],
    createdAt: now,
    expiresAt: input.expiresAt ?? null,
    revokedAt: null,
    fields: { ...fieldsOf(input), ...(authority.takesFields ? fieldsOfDescent(descent) : {}) },
  });
}

/** The secrets of a token: shown when it is made, and never again. */
export type ShownOnce = Pick<CreatedApiToken, 'token' | 'awsCredentials'>;

/** A token that was just made. */
export interface NewToken {
  readonly shown: ShownOnce;
  readonly record: ApiTokenRecord;
}

/** Gives a record its token, and an access key where it has a salt: of each token id that is another one. */
export function sealToken(authority: TokenAuthority, unsealed: Omit<ApiTokenRecord, 'hash' | 'mac'>): NewToken {
  const token = TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  const record = authority.sign({ ...unsealed, hash: authority.hash(token) });
  const secret = authority.accessKeySecret(record);
  if (secret === undefined) return { shown: { token }, record };
  const secretAccessKey = secret.toString('latin1');
  secret.fill(0);
  return { shown: { token, awsCredentials: { accessKeyId: accessKeyIdOf(record.tokenId), secretAccessKey } }, record };
}

function fieldsOf(
  input: CreateApiTokenInput | (Omit<CreateApiTokenInput, keyof TokenLimits> & TokenLimits),
): RecordFields {
  const { purpose, keys, addresses, rate, awsCredentials = false } = input;
  let fields = withField(NO_FIELDS, TOKEN_PURPOSE, purpose);
  fields = withField(fields, TOKEN_ACCESS_KEY_SALT, awsCredentials ? randomBytes(SALT_BYTES) : undefined);
  fields = withField(fields, TOKEN_KEYS, keys ?? undefined);
  fields = withField(fields, TOKEN_ADDRESSES, addresses ?? undefined);
  return withField(fields, TOKEN_RATE, rate ?? undefined);
}

/** They restrict nothing, so a record that nodes of an earlier release must be able to read goes without them. */
function fieldsOfDescent(descent: Descent | undefined): RecordFields {
  return withField(withField(NO_FIELDS, TOKEN_CREATOR, descent?.creator), TOKEN_PARENT, descent?.parentTokenId);
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
export function describeToken(record: ApiTokenRecord, lastUsedAt?: Date): ApiTokenDescription {
  const { tokenId, tenantId, name, role, permissions, fields } = record;
  const { keys, addresses, rate } = limitsOf(record);
  return {
    tokenId,
    tenantId,
    name,
    role,
    permissions,
    purpose: fieldOf(fields, TOKEN_PURPOSE) ?? null,
    keys,
    addresses,
    rate,
    creator: fieldOf(fields, TOKEN_CREATOR) ?? null,
    parentTokenId: fieldOf(fields, TOKEN_PARENT) ?? null,
    replaces: fieldOf(fields, TOKEN_REPLACES) ?? null,
    createdAt: record.createdAt.toISOString(),
    expiresAt: record.expiresAt?.toISOString() ?? null,
    overlapEndsAt: fieldOf(fields, TOKEN_OVERLAP_END)?.toISOString() ?? null,
    revokedAt: record.revokedAt?.toISOString() ?? null,
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  };
}
