import { algorithmById } from '../algorithms/resolve.ts';
import { requireCreatable } from '../lifecycle/admission.ts';
import { isImported, nextPurpose } from '../lifecycle/versions.ts';
import type { KeyRecord } from '../model/key.ts';
import { addVersion, nextVersionName, requireRoomForVersion } from './add-version.ts';
import { applyEvent, lockKey } from './change-key.ts';
import { type Operation, unattended } from './operation.ts';
import { prepareVersion } from './prepare-version.ts';

/**
 * Rotates a key automatically, without a caller: when its schedule says so, or when a version is spent. Any number of
 * nodes may try at once: whether it is still needed is decided again under the lock.
 *
 * @param during what found out that it is needed
 * @param stillNeeded decides from the locked record and the store's clock whether to rotate
 * @returns whether this call rotated
 * @throws KmsError `BAD_REQUEST` in FIPS mode for a key whose algorithm is not approved, `FORBIDDEN` for one that the crypto policy refuses, `QUOTA_EXCEEDED` without room for a version
 */
export async function rotateUnattended(
  during: Operation,
  seen: KeyRecord,
  stillNeeded: (record: KeyRecord, now: Date) => boolean,
): Promise<boolean> {
  const { kms } = during;
  const { tenantId, keyId } = seen;
  if (seen.state !== 'active' || isImported(seen)) return false;
  const algorithm = algorithmById(seen.algorithm);
  // Before anything is made for it. Scheduled work names the key among those whose turn failed.
  requireCreatable(kms.settings, algorithm, kms.clock);
  await kms.hierarchy.masterKeys(tenantId);
  const quotas = await kms.quotas.of(tenantId);
  requireRoomForVersion(seen, quotas);
  const op = unattended(during, 'rotateKey', tenantId);
  try {
    await using prepared = await prepareVersion(op, {
      name: nextVersionName(seen),
      algorithm,
      protectionLevel: seen.protectionLevel,
      purpose: nextPurpose(seen, algorithm),
    });
    const rotated = kms.hierarchy.under(tenantId, (chain) =>
      kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
        const locked = await lockKey(unit, chain, keyId);
        const { record } = locked;
        const possible = record.state === 'active' && record.algorithm === algorithm.id && !isImported(record);
        if (!possible || !stillNeeded(record, unit.now)) return false;
        await applyEvent(op, locked, 'rotate', (key, context) => addVersion(key, context, { prepared, quotas }));
        return true;
      }),
    );
    return await prepared.stored(rotated);
  } finally {
    kms.keyRing.forget(keyId);
  }
}
