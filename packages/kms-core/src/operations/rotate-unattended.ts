import { algorithmById } from '../algorithms/resolve.ts';
import type { KeyRecord } from '../model/key.ts';
import { OPERATIONS } from './catalog.ts';
import { applyEvent, lockKey } from './change-key.ts';
import type { Kms } from './kms.ts';
import { withNewVersion } from './make-version.ts';
import { addVersion, isImported, nextPurpose, nextVersionName } from './rotate-key.ts';

/**
 * Rotates a key automatically, without a caller: when its schedule says so, or when a version is spent. Any number of
 * nodes may try at once: whether it is still needed is decided again under the lock.
 *
 * @param stillNeeded decides by the locked record and the store's clock
 * @returns whether this call rotated
 */
export async function rotateUnattended(
  kms: Kms,
  seen: KeyRecord,
  stillNeeded: (record: KeyRecord, now: Date) => boolean,
): Promise<boolean> {
  const { tenantId, keyId } = seen;
  if (seen.state !== 'active' || isImported(seen)) return false;
  const chain = await kms.hierarchy.masterKeys(tenantId);
  const algorithm = algorithmById(seen.algorithm);
  const evidence = kms.evidence?.unattended('rotateKey', OPERATIONS.rotateKey.event, tenantId);
  try {
    return await withNewVersion(
      kms,
      nextVersionName(seen),
      algorithm,
      seen.protectionLevel,
      nextPurpose(seen, algorithm),
      (prepared) =>
        kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
          const record = await lockKey(unit, chain, keyId);
          const possible = record.state === 'active' && record.algorithm === algorithm.id && !isImported(record);
          if (!possible || !stillNeeded(record, unit.now)) return false;
          await applyEvent({ evidence }, unit, chain, record, 'rotate', (key, context) =>
            addVersion(key, context, prepared),
          );
          return true;
        }),
    );
  } finally {
    kms.keyRing.forget(keyId);
  }
}
