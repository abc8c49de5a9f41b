import { requirePermission } from '../access/caller.ts';
import { foundByDenial } from '../access/found-by.ts';
import type { IdentityDenialRecord } from '../access/identity-binding.ts';
import { CERTIFICATE_ISSUER, CERTIFICATE_LIFETIME_SECONDS } from '../access/certificate-issuer.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkInstant, checkLine } from '../bounds/check-values.ts';
import { badRequest } from '../errors/kms-error.ts';
import { IdentityAuthority } from '../hierarchy/identity-authority.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { newId, type TenantId } from '../model/identifiers.ts';
import { DENIAL_LIFTED_AT, DENIAL_LIFTED_BY, fieldOf, NO_FIELDS } from '../model/record-fields.ts';
import { OPERATIONS } from './catalog.ts';
import { checkIssuer } from './identity-bindings.ts';
import type { Operation } from './operation.ts';
import { runOnce } from './run-once.ts';

export interface DenyIdentityInput {
  readonly issuer: string;
  /** The subject of all credentials that are denied; either this or `jti`. */
  readonly sub?: string;
  /** The id of the one credential that is denied. */
  readonly jti?: string;
  /** Credentials issued before this are denied; default: now. */
  readonly before?: Date;
}

/** A denial as it is shown. */
export interface IdentityDenialDescription {
  readonly denialId: string;
  readonly tenantId: TenantId;
  readonly issuer: string;
  readonly sub: string | null;
  readonly jti: string | null;
  readonly before: string;
  /** When all that it denies has expired: it is removed some time after that. */
  readonly endsAt: string;
  readonly createdAt: string;
  readonly createdBy: string;
  /** When it was lifted, from when on it denies nobody; `null` while it is in force. */
  readonly liftedAt: string | null;
  readonly liftedBy: string | null;
}

/**
 * Lets nobody in any more for the caller's tenant by credentials of an issuer that were issued before a time. Those who are still let in
 * get new credentials.
 *
 * @throws KmsError `QUOTA_EXCEEDED` when the tenant has as many denials that have not ended as it may.
 */
export async function denyIdentity(op: Operation, input: DenyIdentityInput): Promise<IdentityDenialDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.denyIdentity.permission);
  const denied = checkDenial(input);
  checkIdempotency(op.idempotency);
  const { tenantId } = caller;
  const foundBy = foundByDenial(denied);
  const lifetimeSeconds = lifetimeOf(input.issuer, kms);
  const deny = (chain: MasterKeyChain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'deny-identity' }, async () => {
        const { now } = unit;
        const { aheadSeconds, denials: limit } = BOUNDS.identity;
        const before = input.before ?? now;
        if (before.getTime() > now.getTime() + aheadSeconds * 1000)
          throw badRequest(
            'before',
            'must not be in the future: credentials that are issued later are not denied, remove the binding instead',
          );
        await unit.identities.removeEndedDenials();
        const record = new IdentityAuthority(chain).signDenial({
          ...denied,
          denialId: newId(),
          tenantId,
          foundBy,
          before,
          endsAt: new Date(before.getTime() + (lifetimeSeconds + aheadSeconds) * 1000),
          createdAt: now,
          createdBy: caller.subject,
          fields: NO_FIELDS,
        });
        await unit.identities.insertDenial(record, { atMost: limit });
        const { denialId, issuer, claim, value } = record;
        await op.evidence?.changed(unit, {
          eventType: OPERATIONS.denyIdentity.event,
          resource: { type: 'identity', id: denialId, version: null },
          before: null,
          after: { issuer, [claim]: value, before: before.toISOString() },
        });
        return describeDenial(record);
      }),
    );
  try {
    return await kms.hierarchy.under(tenantId, deny);
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    kms.identities.forget(foundBy);
  }
}

/** Certificates of clients last longer than what other issuers give, which the service is told. */
function lifetimeOf(issuer: string, { settings }: Operation['kms']): number {
  if (issuer === CERTIFICATE_ISSUER) return CERTIFICATE_LIFETIME_SECONDS;
  return settings.credentialLifetimeSeconds ?? BOUNDS.identity.lifetimeSeconds;
}

function checkDenial({
  issuer,
  sub,
  jti,
  before,
}: DenyIdentityInput): Pick<IdentityDenialRecord, 'issuer' | 'claim' | 'value'> {
  checkIssuer(issuer);
  if ((sub === undefined) === (jti === undefined)) throw badRequest('sub', 'either sub or jti is needed');
  if (before !== undefined) checkInstant('before', before);
  const claim = sub === undefined ? 'jti' : 'sub';
  const value = sub ?? jti ?? '';
  checkLine(claim, value, BOUNDS.identity.valueCharacters);
  return { issuer, claim, value };
}

/** Shows a denial. */
export function describeDenial(record: IdentityDenialRecord): IdentityDenialDescription {
  const { denialId, tenantId, issuer, claim, value, createdBy, fields } = record;
  return {
    denialId,
    tenantId,
    issuer,
    sub: claim === 'sub' ? value : null,
    jti: claim === 'jti' ? value : null,
    before: record.before.toISOString(),
    endsAt: record.endsAt.toISOString(),
    createdAt: record.createdAt.toISOString(),
    createdBy,
    liftedAt: fieldOf(fields, DENIAL_LIFTED_AT)?.toISOString() ?? null,
    liftedBy: fieldOf(fields, DENIAL_LIFTED_BY) ?? null,
  };
}
