import { badRequest } from '../errors/kms-error.ts';
import { checkId, checkInstant, checkOneOf } from '../bounds/check-values.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { tokenAuthority } from '../hierarchy/token-authority.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { Tombstone } from '../model/tombstone.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import { endToken, tokenRevoked } from './api-tokens.ts';
import { applyEvent, lockKey } from './change-key.ts';
import { condemnation, destruction, stateToReturnTo, takenBack } from './destroy-key.ts';
import { isResident } from './destroy-resident.ts';
import type { Kms } from './kms.ts';
import { endTenant } from './tenants.ts';

/**
 * Ends in a restored copy of the database what had ended before the restore. Each is a unit of work of its own, and
 * what has already ended is skipped, so that several nodes may do it at once and an interrupted start can continue.
 */
export async function applyTombstones(kms: Kms, tombstones: readonly Tombstone[]): Promise<void> {
  for (const tombstone of tombstones) checkTombstone(tombstone);
  for (const tombstone of tombstones) await applyOne(kms, tombstone);
}

const ENDED_STATES = ['suspended', 'scheduled', 'restored', 'revoked', 'destroyed'] as const;

/** The reason is not checked: one that this version does not know is read as another. */
function checkTombstone(tombstone: Tombstone): void {
  switch (tombstone.kind) {
    case 'tenant':
      checkId('tenantId', tombstone.tenantId);
      return;
    case 'token':
      checkId('tokenId', tombstone.tokenId);
      return;
    case 'key':
      checkId('tenantId', tombstone.tenantId);
      checkId('keyId', tombstone.keyId);
      checkOneOf('state', tombstone.state, ENDED_STATES);
      checkInstant('at', tombstone.at);
      return;
    default:
      throw badRequest('kind', 'must be tenant, token or key');
  }
}

async function applyOne(kms: Kms, tombstone: Tombstone): Promise<void> {
  switch (tombstone.kind) {
    case 'tenant': {
      const system = await kms.hierarchy.masterKeys(SYSTEM_TENANT);
      await kms.store.transact({ kind: 'system' }, async (unit) => {
        await endTenant(unit, system, tombstone.tenantId);
        const evidence = kms.evidence?.unattended('applyTombstones', OPERATIONS.shredTenant.event, tombstone.tenantId);
        await evidence?.changed(unit, {
          eventType: OPERATIONS.shredTenant.event,
          resource: { type: 'tenant', id: tombstone.tenantId, version: null },
          before: null,
          after: { state: 'shredded' },
        });
      });
      kms.hierarchy.forget(tombstone.tenantId);
      return;
    }
    case 'token': {
      const authority = await tokenAuthority(kms.hierarchy);
      await kms.store.transact({ kind: 'system' }, async (unit) => {
        const record = await unit.tokens.get(tombstone.tokenId, { lock: true });
        if (record === undefined || record.revokedAt !== null) return;
        await endToken(unit, authority, record);
        const evidence = kms.evidence?.unattended(
          'applyTombstones',
          OPERATIONS.revokeToken.event,
          record.tenantId ?? SYSTEM_TENANT,
        );
        await evidence?.changed(unit, tokenRevoked(record, unit.now));
      });
      return;
    }
    case 'key': {
      const { tenantId, keyId } = tombstone;
      const chain = await kms.hierarchy.masterKeys(tenantId);
      const evidence = kms.evidence?.unattended('applyTombstones', OPERATIONS.updateKey.event, tenantId);
      await kms.store.transact({ kind: 'tenant', tenantId }, (unit) => endKey({ evidence }, unit, chain, tombstone));
      kms.keyRing.forget(keyId);
    }
  }
}

async function endKey(
  kms: Pick<Kms, 'evidence'>,
  unit: UnitOfWork,
  chain: MasterKeyChain,
  tombstone: Extract<Tombstone, { readonly kind: 'key' }>,
): Promise<void> {
  const record = await lockKey(unit, chain, tombstone.keyId);
  const { at, reason } = tombstone;
  switch (tombstone.state) {
    case 'destroyed':
      if (record.state === 'destroyed') return;
      // An HSM need not answer for that: scheduled work destroys what is left in it.
      if (record.versions.some(isResident)) await condemn(kms, unit, chain, record);
      else await applyEvent(kms, unit, chain, record, 'shred', (key) => destruction(key));
      return;
    case 'revoked':
      if (record.state !== 'revoked' && record.state !== 'destroyed')
        // A reason that this version does not know is read as the one that asks for the most care.
        await applyEvent(kms, unit, chain, record, 'revoke', () => ({
          revocation: { reason: reason ?? 'suspected_compromise', at },
        }));
      return;
    case 'scheduled':
      if (record.state === 'destroyed') return;
      // A shred whose HSM was away: the copy has the end of the waiting period that the shred cut short.
      if (record.destroyAt !== null && at <= unit.now && record.versions.some(isResident))
        await condemn(kms, unit, chain, record);
      if (record.destroyAt === null)
        await applyEvent(kms, unit, chain, record, 'destroy', () => ({
          stateBeforeDestroy: stateToReturnTo(record),
          destroyAt: at,
        }));
      return;
    case 'restored':
      if (record.destroyAt !== null) await applyEvent(kms, unit, chain, record, 'restore', takenBack);
      return;
    case 'suspended':
      if (record.state === 'active') await applyEvent(kms, unit, chain, record, 'suspend', () => ({}));
  }
}

/** Takes a key permanently out of use, once. */
async function condemn(
  kms: Pick<Kms, 'evidence'>,
  unit: UnitOfWork,
  chain: MasterKeyChain,
  record: KeyRecord,
): Promise<void> {
  if (record.destroyAt !== null && record.destroyAt <= unit.now) return;
  await applyEvent(kms, unit, chain, record, 'condemn', (key) => condemnation(key, unit.now));
}
