import { type Caller, requirePermission } from '../access/caller.ts';
import { CERTIFICATE_CLAIMS, CERTIFICATE_ISSUER } from '../access/certificate-issuer.ts';
import { foundByMatch, tellingClaims } from '../access/found-by.ts';
import type { ClaimMatch, IdentityBindingRecord } from '../access/identity-binding.ts';
import {
  BEYOND_KEYS,
  effectivePermissions,
  type Permission,
  PERMISSIONS,
  type Role,
  ROLES,
} from '../access/permissions.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId, checkInstant, checkLine, checkOneOf } from '../bounds/check-values.ts';
import { sortedJson } from '../encoding/sorted-json.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { RecordedChange } from '../evidence/operation-evidence.ts';
import { IdentityAuthority } from '../hierarchy/identity-authority.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { tokenAuthority } from '../hierarchy/token-authority.ts';
import { type KeyId, newId, type TenantId } from '../model/identifiers.ts';
import { atMost, removedBindingsAtMost } from '../model/quotas.ts';
import { BINDING_CERTIFICATE, fieldOf, NO_FIELDS, withField } from '../model/record-fields.ts';
import type { StoreScope, UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import { holdCredential } from './hold-credential.ts';
import type { Operation } from './operation.ts';
import { runOnce } from './run-once.ts';

/** An identity binding as it is shown. */
export interface IdentityBindingDescription {
  readonly bindingId: string;
  readonly tenantId: TenantId;
  readonly issuer: string;
  readonly match: ClaimMatch;
  /** Claims of the certificate that the client has to have besides; `null` where none is demanded. */
  readonly certificate: ClaimMatch | null;
  readonly role: Role | null;
  readonly permissions: readonly Permission[];
  /** The only keys that it is for; `null` is every key. */
  readonly keys: readonly KeyId[] | null;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly expiresAt: string | null;
}

/** As it may be kept for a repeated call by a release that knew of no certificates. */
type KeptBinding = Omit<IdentityBindingDescription, 'certificate'> & Partial<IdentityBindingDescription>;

export interface CreateIdentityBindingInput {
  /** As the credentials name it: the `iss` of a JWT. */
  readonly issuer: string;
  /** Claims, each with its value or the beginning of one and `*`; a credential has to match all of them. */
  readonly match: ClaimMatch;
  /**
   * What the claims of a certificate of the client must be besides, as those of the issuer `mtls` are; if absent, none is demanded. A
   * deployment that asks clients for no certificates lets nobody in by such a binding.
   */
  readonly certificate?: ClaimMatch | null;
  readonly role?: Role | null;
  readonly permissions?: readonly Permission[];
  /** The only keys that it is for; if absent, every key. */
  readonly keys?: readonly KeyId[] | null;
  /** Later than now; if absent, it ends with the credential that makes it, if that ever does. */
  readonly expiresAt?: Date | null;
}

/**
 * Lets those call for the caller's tenant whose credentials of an issuer match.
 *
 * @throws KmsError `FORBIDDEN` when they could do more than the caller, `BAD_REQUEST` for a match that tells nobody apart,
 *   `QUOTA_EXCEEDED` when the tenant has as many bindings as it may.
 */
export async function createIdentityBinding(
  op: Operation,
  input: CreateIdentityBindingInput,
): Promise<IdentityBindingDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.createIdentityBinding.permission);
  checkBinding(input);
  checkIdempotency(op.idempotency);
  requireHeld(caller, input);
  const tokens = await tokenAuthority(kms.hierarchy);
  const quotas = await kms.quotas.of(caller.tenantId);
  const foundBy = foundByMatch(input.issuer, input.match);
  const create = (chain: MasterKeyChain) =>
    kms.store.transact(scopeOf(caller), (unit) =>
      runOnce(op, { unit, chain, what: 'create-identity-binding' }, async () => {
        const endsAt = endOf(await holdCredential(unit, tokens, caller), input);
        if (input.expiresAt && input.expiresAt <= unit.now)
          throw badRequest('expiresAt', 'has already passed: the binding would let nobody in');
        const record = new IdentityAuthority(chain).signBinding({
          bindingId: newId(),
          tenantId: caller.tenantId,
          issuer: input.issuer,
          match: input.match,
          foundBy,
          role: input.role ?? null,
          permissions: input.permissions ?? [],
          keys: input.keys ?? null,
          createdAt: unit.now,
          createdBy: caller.subject,
          expiresAt: endsAt,
          removedAt: null,
          fields: input.certificate ? withField(NO_FIELDS, BINDING_CERTIFICATE, input.certificate) : NO_FIELDS,
        });
        await unit.identities.insert(record, {
          atMost: atMost(quotas.identityBindings),
          removedAtMost: removedBindingsAtMost(quotas),
        });
        await op.evidence?.changed(unit, bindingCreated(record));
        return describeBinding(record);
      }),
    );
  try {
    const kept: KeptBinding = await kms.hierarchy.under(caller.tenantId, create);
    return { ...kept, certificate: kept.certificate ?? null };
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    kms.identities.forget(foundBy);
  }
}

/** A binding of the caller's tenant. Throws `NOT_FOUND`. */
export async function getIdentityBinding(
  { kms, caller }: Operation,
  input: { readonly bindingId: string },
): Promise<IdentityBindingDescription> {
  requirePermission(caller, OPERATIONS.getIdentityBinding.permission);
  checkId('bindingId', input.bindingId);
  return kms.hierarchy.under(caller.tenantId, async (chain) => {
    const record = await kms.store.transact(scopeOf(caller), (unit) => unit.identities.get(input.bindingId));
    if (record === undefined) throw notFound();
    new IdentityAuthority(chain).verifyBinding(record);
    return describeBinding(record);
  });
}

/** Removes a binding: those whom it let in are let in no longer. Throws `NOT_FOUND`, also for one that was removed before. */
export async function deleteIdentityBinding(op: Operation, input: { readonly bindingId: string }): Promise<void> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.deleteIdentityBinding.permission);
  checkId('bindingId', input.bindingId);
  checkIdempotency(op.idempotency);
  let foundBy: Uint8Array | undefined;
  try {
    await kms.hierarchy.under(caller.tenantId, (chain) =>
      kms.store.transact(scopeOf(caller), (unit) =>
        runOnce(op, { unit, chain, what: 'delete-identity-binding' }, async () => {
          const record = await unit.identities.get(input.bindingId, { lock: true });
          if (record === undefined) throw notFound();
          ({ foundBy } = record);
          await endBinding(op, unit, new IdentityAuthority(chain), record);
          return null;
        }),
      ),
    );
  } finally {
    if (foundBy !== undefined) kms.identities.forget(foundBy);
  }
}

/** Removes a locked binding: its record gets a new MAC, whether or not the old one was right. */
export async function endBinding(
  { evidence }: Pick<Operation, 'evidence'>,
  unit: UnitOfWork,
  authority: IdentityAuthority,
  record: IdentityBindingRecord,
): Promise<void> {
  await unit.identities.remove(authority.signBinding({ ...record, removedAt: unit.now }));
  await evidence?.changed(unit, {
    eventType: OPERATIONS.deleteIdentityBinding.event,
    resource: { type: 'identity', id: record.bindingId, version: null },
    before: { removedAt: null },
    after: { removedAt: unit.now.toISOString() },
  });
}

/** Shows a binding. */
export function describeBinding(record: IdentityBindingRecord): IdentityBindingDescription {
  const { bindingId, tenantId, issuer, match, role, permissions, keys, createdBy } = record;
  return {
    bindingId,
    tenantId,
    issuer,
    match,
    certificate: fieldOf(record.fields, BINDING_CERTIFICATE) ?? null,
    role,
    permissions,
    keys,
    createdAt: record.createdAt.toISOString(),
    createdBy,
    expiresAt: record.expiresAt?.toISOString() ?? null,
  };
}

function checkBinding({
  issuer,
  match,
  certificate,
  role,
  permissions = [],
  keys,
  expiresAt,
}: CreateIdentityBindingInput): void {
  checkIssuer(issuer);
  checkMatch('match', match);
  if (tellingClaims(match).length === 0)
    throw badRequest(
      'match',
      'must tell somebody from the others of the issuer: by a claim other than iss and aud, and by more than *',
    );
  if (certificate !== undefined && certificate !== null) checkCertificate(issuer, certificate);
  if (role !== undefined && role !== null) checkOneOf('role', role, ROLES);
  if (!Array.isArray(permissions) || permissions.length > BOUNDS.tokenPermissions)
    throw badRequest('permissions', `must be a list of at most ${BOUNDS.tokenPermissions} permissions`);
  for (const permission of permissions) checkOneOf('permissions', permission, PERMISSIONS);
  if (!role && permissions.length === 0) throw badRequest('role', 'a role or at least one permission is needed');
  const granted = effectivePermissions(role ?? null, permissions);
  if (granted.has(OPERATIONS.createTenant.permission))
    throw badRequest('role', 'a binding is of one tenant, and gives nothing of the platform');
  checkKeys(keys, permissions);
  if (expiresAt !== undefined && expiresAt !== null) checkInstant('expiresAt', expiresAt);
}

/** What stands before the `#` in a subject. */
export function checkIssuer(issuer: string): void {
  checkLine('issuer', issuer, BOUNDS.identity.issuerCharacters);
  if (issuer.includes('#')) throw badRequest('issuer', 'must be an issuer, which has no #');
}

function checkCertificate(issuer: string, certificate: ClaimMatch): void {
  if (issuer === CERTIFICATE_ISSUER)
    throw badRequest(
      'certificate',
      `must be absent: what is bound of ${CERTIFICATE_ISSUER} is a certificate itself, so put its claims into match`,
    );
  checkMatch('certificate', certificate);
  for (const claim of Object.keys(certificate)) checkOneOf('certificate', claim, CERTIFICATE_CLAIMS);
}

function checkMatch(name: 'match' | 'certificate', match: ClaimMatch): void {
  const { claims, claimCharacters, valueCharacters } = BOUNDS.identity;
  if (typeof match !== 'object' || match === null || Array.isArray(match))
    throw badRequest(name, 'must have claims and what they must be');
  const entries = Object.entries(match);
  if (entries.length === 0 || entries.length > claims) throw badRequest(name, `must have 1 to ${claims} claims`);
  for (const [claim, value] of entries) {
    checkLine(name, claim, claimCharacters);
    checkLine(`${name}.${claim}`, value, valueCharacters);
    if (value.slice(0, -1).includes('*')) throw badRequest(`${name}.${claim}`, 'may have one *, at its end');
  }
}

function checkKeys(keys: readonly KeyId[] | null | undefined, permissions: readonly Permission[]): void {
  if (keys === undefined || keys === null) return;
  const { keys: most } = BOUNDS.identity;
  const list: unknown = keys;
  if (!Array.isArray(list) || keys.length === 0 || keys.length > most)
    throw badRequest('keys', `must be a list of 1 to ${most} keys`);
  for (const keyId of keys) checkId('keys', keyId);
  const beyond = permissions.find((permission) => BEYOND_KEYS.has(permission));
  if (beyond !== undefined) throw badRequest('permissions', `${beyond} reaches beyond single keys`);
}

function requireHeld(caller: Caller, { role = null, permissions = [] }: CreateIdentityBindingInput): void {
  for (const permission of effectivePermissions(role, permissions)) {
    if (caller.permissions.has(permission)) continue;
    throw new KmsError(
      'FORBIDDEN',
      `The binding would give ${permission}, which the credential itself does not have.`,
      {
        details: { permission },
      },
    );
  }
}

/**
 * When the binding ends, which is no later than the credential that makes it.
 *
 * @throws KmsError `FORBIDDEN` for a binding that reaches further than that credential.
 */
function endOf({ credential }: Caller, { expiresAt }: CreateIdentityBindingInput): Date | null {
  if (credential?.addresses || (credential?.rate ?? null) !== null)
    throw new KmsError(
      'FORBIDDEN',
      'The credential is limited to some addresses or in its rate, which a binding cannot be.',
    );
  const latest = credential?.expiresAt ?? null;
  const wanted = expiresAt ?? latest;
  if (latest !== null && wanted !== null && wanted > latest)
    throw new KmsError('FORBIDDEN', 'The binding would end after the credential that makes it.');
  return wanted;
}

function bindingCreated(record: IdentityBindingRecord): RecordedChange {
  const { bindingId, issuer, match, role, permissions, keys, expiresAt, fields } = record;
  const certificate = fieldOf(fields, BINDING_CERTIFICATE);
  return {
    eventType: OPERATIONS.createIdentityBinding.event,
    resource: { type: 'identity', id: bindingId, version: null },
    before: null,
    after: {
      issuer,
      match: sortedJson(match),
      ...(certificate === undefined ? {} : { certificate: sortedJson(certificate) }),
      role,
      permissions,
      keys,
      expiresAt: expiresAt?.toISOString() ?? null,
    },
  };
}

function notFound(): KmsError {
  return new KmsError('NOT_FOUND', 'There is no identity binding with this id.');
}

function scopeOf({ tenantId }: Caller): StoreScope {
  return { kind: 'tenant', tenantId };
}
