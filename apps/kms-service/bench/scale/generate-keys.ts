import { randomBytes } from 'node:crypto';
import type { TenantId } from '@qnsp/kms-core';
import type { MasterKeyChain } from '@qnsp/kms-core/internal';
import { type KeyRecord, newId } from '@qnsp/kms-core/ports';

const KEYS_PER_BATCH = 10_000;
const MILLISECONDS_PER_KEY = 1000;
const ROTATION_SECONDS = 90 * 24 * 60 * 60;

/** A tenant of the benchmark with its opened master keys. */
export interface BenchTenant {
  readonly tenantId: TenantId;
  readonly chain: MasterKeyChain;
}

/**
 * Authentic AES keys: real material, sealed under the tenant's master key, in records with a right MAC. Tenants take turns, as
 * in a service where all of them make keys all the time, so that the rows of one tenant lie scattered in the table.
 */
export function* generateKeys(
  tenants: readonly BenchTenant[],
  keysPerTenant: number,
  newest: Date,
): Generator<readonly KeyRecord[]> {
  const total = tenants.length * keysPerTenant;
  let batch: KeyRecord[] = [];
  for (let made = 0; made < total; made += 1) {
    const tenant = tenants[made % tenants.length];
    if (tenant === undefined) return;
    batch.push(makeKey(tenant, made, new Date(newest.getTime() - (total - made) * MILLISECONDS_PER_KEY)));
    if (batch.length < KEYS_PER_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function makeKey({ tenantId, chain }: BenchTenant, number: number, createdAt: Date): KeyRecord {
  const keyId = newId();
  const algorithm = 'aes-256-gcm';
  const secret = randomBytes(32);
  const material = chain.sealVersion({ keyId, version: 1, algorithm }, secret);
  secret.fill(0);
  // Every tenth key rotates by itself, long after the benchmark.
  const auto = number % 10 === 0;
  const nextRotationAt = auto ? new Date(Date.now() + ROTATION_SECONDS * 1000) : null;
  return chain.signRecord({
    tenantId,
    keyId,
    name: `key ${number}`,
    algorithm,
    purpose: 'encryption',
    protectionLevel: 'software',
    state: 'active',
    stateBeforeDestroy: null,
    revocation: null,
    currentVersion: 1,
    versions: [
      {
        version: 1,
        state: 'active',
        algorithm,
        origin: 'generated',
        provider: 'software',
        material,
        publicKey: null,
        createdAt,
        fields: {},
      },
    ],
    rotation: { periodSeconds: auto ? ROTATION_SECONDS : null, auto, retainVersions: null, nextRotationAt },
    usageLimits: { maxOperations: null, expiresAt: null },
    policy: null,
    metadata: { made: 'for the benchmark' },
    parentKeyId: null,
    revision: 1,
    createdAt,
    updatedAt: createdAt,
    destroyAt: null,
    fields: {},
  });
}
