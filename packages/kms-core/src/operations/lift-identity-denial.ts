import { CERTIFICATE_ISSUER } from '../access/certificate-issuer.ts';
import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import { type Caller, requirePermission } from '../access/caller.ts';
import { effectivePermissions } from '../access/permissions.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { IdentityAuthority } from '../hierarchy/identity-authority.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import { NewerRecord } from '../hierarchy/record-formats.ts';
import { DENIAL_LIFTED_AT, DENIAL_LIFTED_BY, fieldOf, withField } from '../model/record-fields.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { Turns } from '../scheduling/turns.ts';
import { OPERATIONS } from './catalog.ts';
import { describeDenial, type IdentityDenialDescription } from './deny-identity.ts';
import type { Operation } from './operation.ts';
import { runOnce } from './run-once.ts';

/**
 * Lets bindings let in again by the credentials that a denial refused, unless another one does too. One that was lifted stays lifted.
 *
 * @throws KmsError `NOT_FOUND`, also for one that has ended and was removed; `FORBIDDEN` when a binding of its issuer gives more than
 *   the caller has: they could not have made that binding.
 */
export async function liftIdentityDenial(
  op: Operation,
  { denialId }: { readonly denialId: string },
): Promise<IdentityDenialDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.liftIdentityDenial.permission);
  checkId('denialId', denialId);
  checkIdempotency(op.idempotency);
  const { tenantId } = caller;
  let foundBy: Uint8Array | undefined;
  const liftOnce = (chain: MasterKeyChain, isNewest: boolean) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'lift-identity-denial' }, async () => {
        const authority = new IdentityAuthority(chain);
        const isAuthentic = isAuthenticUnder(isNewest);
        const record = await unit.identities.getDenial(denialId, { lock: true });
        if (record === undefined) throw new KmsError('NOT_FOUND', 'There is no denial with this id.');
        ({ foundBy } = record);
        await requireBindingsHeld(unit, { authority, isAuthentic }, caller, record);
        // One that somebody wrote into the database, or changed there, is in force whatever it says, and ends here too.
        const isOurs = isAuthentic(() => authority.verifyDenial(record));
        if (isOurs && fieldOf(record.fields, DENIAL_LIFTED_AT) !== undefined) return describeDenial(record);
        return describeDenial(await lift(op, unit, authority, record));
      }),
    );
  try {
    return await kms.hierarchy.under(tenantId, liftOnce);
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    if (foundBy !== undefined) kms.identities.forget(foundBy);
  }
}

async function lift(
  { caller, evidence }: Operation,
  unit: UnitOfWork,
  authority: IdentityAuthority,
  record: IdentityDenialRecord,
): Promise<IdentityDenialRecord> {
  const at = withField(record.fields, DENIAL_LIFTED_AT, unit.now);
  const fields = withField(at, DENIAL_LIFTED_BY, caller.subject);
  const lifted = authority.signDenial({ ...record, fields });
  await unit.identities.liftDenial(lifted);
  const { denialId, issuer, claim, value } = record;
  await evidence?.changed(unit, {
    eventType: OPERATIONS.liftIdentityDenial.event,
    resource: { type: 'identity', id: denialId, version: null },
    before: { liftedAt: null },
    after: { liftedAt: unit.now.toISOString(), issuer, [claim]: value },
  });
  return lifted;
}

/**
 * Whichever bindings match whom the denial is about, their claims are not known here: so each of the issuer counts, and for a denial of
 * a certificate every one: any of them lets tokens in that are bound to that certificate, or demands it.
 *
 * @throws KmsError `FORBIDDEN`
 */
async function requireBindingsHeld(
  unit: UnitOfWork,
  { authority, isAuthentic }: { readonly authority: IdentityAuthority; readonly isAuthentic: IsAuthentic },
  caller: Caller,
  { issuer, tenantId }: IdentityDenialRecord,
): Promise<void> {
  const turns = new Turns(tenantId);
  const isAnyOfThem = issuer === CERTIFICATE_ISSUER;
  let after: IdentityBindingRecord | null = null;
  for (let more = true; more; ) {
    const page = await unit.identities.list({ limit: BOUNDS.pageItems.maximum, after });
    for (const binding of page.items) {
      await turns.pause();
      if (!(isAnyOfThem || binding.issuer === issuer) || !isAuthentic(() => authority.verifyBinding(binding))) continue;
      const beyond = [...effectivePermissions(binding.role, binding.permissions)].find(
        (permission) => !caller.permissions.has(permission),
      );
      if (beyond === undefined) continue;
      throw new KmsError(
        'FORBIDDEN',
        `A binding of the issuer gives ${beyond}, which the credential itself does not have.`,
        { details: { permission: beyond } },
      );
    }
    after = page.items.at(-1) ?? null;
    ({ more } = page);
  }
}

/** @param verify throws for a record that the KMS did not write */
type IsAuthentic = (verify: () => void) => boolean;

/** @param isNewest whether the master keys are known to be the newest: else a record under a later one may be authentic */
function isAuthenticUnder(isNewest: boolean): IsAuthentic {
  return (verify) => {
    try {
      verify();
      return true;
    } catch (error) {
      if (!KmsError.is(error) || error instanceof NewerRecord || (NewerMasterKey.is(error) && !isNewest)) throw error;
      return false;
    }
  };
}
