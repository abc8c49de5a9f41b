import { badRequest, KmsError } from '../errors/kms-error.ts';
import { checkId, checkInstant, checkOneOf } from '../bounds/check-values.ts';
import { IdentityAuthority } from '../hierarchy/identity-authority.ts';
import { tokenAuthority } from '../hierarchy/token-authority.ts';
import {
  condemnation,
  destruction,
  isDestructionDue,
  scheduledDestruction,
  takenBack,
} from '../lifecycle/destruction.ts';
import { isResident } from '../lifecycle/versions.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import type { Tombstone } from '../model/tombstone.ts';
import { OPERATIONS } from './catalog.ts';
import { endToken, tokenRevoked } from './api-tokens.ts';
import { endBinding } from './identity-bindings.ts';
import { applyEvent, type LockedKey, lockKey } from './change-key.ts';
import { type Operation, unattended } from './operation.ts';
import { endTenant } from './tenants.ts';

/**
 * Ends, in a restored copy of the database, everything that had ended before the restore. Each end is a unit of work of
 * its own, and what has already ended is skipped, so that several nodes may do it at once and an interrupted start can continue.
 */
export async function applyTombstones(service: Operation, tombstones: readonly Tombstone[]): Promise<void> {
  for (const tombstone of tombstones) checkTombstone(tombstone);
  for (const tombstone of tombstones) await applyOne(service, tombstone);
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
    case 'identity':
      checkId('tenantId', tombstone.tenantId);
      checkId('bindingId', tombstone.bindingId);
      return;
    case 'key':
      checkId('tenantId', tombstone.tenantId);
      checkId('keyId', tombstone.keyId);
      checkOneOf('state', tombstone.state, ENDED_STATES);
      checkInstant('at', tombstone.at);
      return;
    default:
      throw badRequest('kind', 'must be tenant, token, identity or key');
  }
}

async function applyOne(service: Operation, tombstone: Tombstone): Promise<void> {
  const { kms } = service;
  switch (tombstone.kind) {
    case 'tenant': {
      const system = await kms.hierarchy.masterKeys(SYSTEM_TENANT);
      await kms.store.transact({ kind: 'system' }, async (unit) => {
        await endTenant(unit, system, tombstone.tenantId);
        const { evidence } = unattended(service, 'applyTombstones', tombstone.tenantId);
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
        const { evidence } = unattended(service, 'applyTombstones', record.tenantId ?? SYSTEM_TENANT);
        await evidence?.changed(unit, tokenRevoked(record, unit.now));
      });
      return;
    }
    case 'identity': {
      const { tenantId, bindingId } = tombstone;
      if ((await kms.hierarchy.masterKeys(tenantId).catch(unlessShredded)) === undefined) return;
      const op = unattended(service, 'applyTombstones', tenantId);
      await kms.hierarchy.under(tenantId, (chain) =>
        kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
          const record = await unit.identities.get(bindingId, { lock: true });
          if (record !== undefined) await endBinding(op, unit, new IdentityAuthority(chain), record);
        }),
      );
      return;
    }
    case 'key': {
      const { tenantId, keyId } = tombstone;
      const op = unattended(service, 'applyTombstones', tenantId);
      await kms.hierarchy.under(tenantId, (chain) =>
        kms.store.transact({ kind: 'tenant', tenantId }, async (unit) =>
          endKey(op, await lockKey(unit, chain, keyId), tombstone),
        ),
      );
      kms.keyRing.forget(keyId);
    }
  }
}

/** The tombstone of a tenant may have come before those of its bindings, which ended with it. */
function unlessShredded(error: unknown): undefined {
  if (!KmsError.is(error) || error.code !== 'NOT_FOUND') throw error;
}

async function endKey(
  op: Operation,
  locked: LockedKey,
  { state, at, reason }: Extract<Tombstone, { readonly kind: 'key' }>,
): Promise<void> {
  const { record, unit } = locked;
  switch (state) {
    case 'destroyed':
      if (record.state === 'destroyed') return;
      // An HSM need not answer for that: scheduled work destroys what is left in it.
      if (record.versions.some(isResident)) await condemn(op, locked);
      else await applyEvent(op, locked, 'shred', (key) => destruction(key));
      return;
    case 'revoked':
      if (record.state !== 'revoked' && record.state !== 'destroyed')
        // A reason that this version does not know is read as the one that asks for the most care.
        await applyEvent(op, locked, 'revoke', () => ({
          revocation: { reason: reason ?? 'suspected_compromise', at },
        }));
      return;
    case 'scheduled':
      if (record.state === 'destroyed') return;
      // A shred whose HSM was away: the copy has the end of the waiting period that the shred cut short.
      if (record.destroyAt !== null && at <= unit.now && record.versions.some(isResident)) await condemn(op, locked);
      if (record.destroyAt === null) await applyEvent(op, locked, 'destroy', (key) => scheduledDestruction(key, at));
      return;
    case 'restored':
      if (record.destroyAt !== null) await applyEvent(op, locked, 'restore', takenBack);
      return;
    case 'suspended':
      if (record.state === 'active') await applyEvent(op, locked, 'suspend', () => ({}));
  }
}

/** Takes a key permanently out of use, once. */
async function condemn(op: Operation, locked: LockedKey): Promise<void> {
  const { record, unit } = locked;
  if (isDestructionDue(record, unit.now)) return;
  await applyEvent(op, locked, 'condemn', (key) => condemnation(key, unit.now));
}
