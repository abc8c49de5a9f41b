import { KmsError } from '../errors/kms-error.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { Kms } from './kms.ts';

/**
 * Destroys the objects of a key in HSMs. What is already gone is not an error. Only for a key that cannot be used
 * again.
 *
 * @throws KmsError `HSM_UNAVAILABLE` when an HSM does not answer or is not configured.
 */
export async function destroyResident(kms: Kms, record: KeyRecord): Promise<void> {
  for (const { material, provider: providerId } of record.versions) {
    if (material.kind !== 'resident') continue;
    await residentProvider(kms, providerId).destroy(material.handle);
  }
}

/** Destroys every object of a shredded tenant. Throws like {@link destroyResident}, after all HSMs were asked. */
export async function destroyResidentOfTenant(kms: Kms, tenantId: TenantId): Promise<void> {
  const failures: unknown[] = [];
  for (const provider of kms.resident) {
    try {
      for (const { name, handle } of await provider.list())
        if (name.tenantId === tenantId) await provider.destroy(handle);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function residentProvider(kms: Kms, providerId: string): ResidentKeyProvider {
  const provider = kms.resident.find((candidate) => candidate.id === providerId);
  if (provider === undefined)
    throw new KmsError('HSM_UNAVAILABLE', `The HSM ${providerId} that holds the key is not configured.`, {
      retryAfterSeconds: 60,
    });
  return provider;
}
