import { randomBytes } from 'node:crypto';
import type { TenantId } from '@qnsp/kms-core';
import type { MasterKeyChain, VersionMaterial } from '@qnsp/kms-core/internal';
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
 *
 * @param versions how many versions each key has; the last one is the active one
 */
export function* generateKeys(
  tenants: readonly BenchTenant[],
  keysPerTenant: number,
  newest: Date,
  versions = 1,
): Generator<readonly KeyRecord[]> {
  const total = tenants.length * keysPerTenant;
  let batch: KeyRecord[] = [];
  for (let made = 0; made < total; made += 1) {
    const tenant = tenants[made % tenants.length];
    if (tenant === undefined) return;
    batch.push(makeKey(tenant, made, new Date(newest.getTime() - (total - made) * MILLISECONDS_PER_KEY), versions));
    if (batch.length < KEYS_PER_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function makeKey({ tenantId, chain }: BenchTenant, number: number, createdAt: Date, versions: number): KeyRecord {
  const keyId = newId();
  const algorithm = 'aes-256-gcm';
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
    currentVersion: versions,
    versions: Array.from({ length: versions }, (_, index) => ({
      version: index + 1,
      state: index + 1 === versions ? 'active' : 'decrypt-only',
      algorithm,
      origin: 'generated',
      provider: 'software',
      material: sealed(chain, { keyId, version: index + 1, algorithm }),
      publicKey: null,
      createdAt,
      fields: {},
    })),
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

function sealed(chain: MasterKeyChain, binding: Parameters<MasterKeyChain['sealVersion']>[0]): VersionMaterial {
  const secret = randomBytes(32);
  try {
    return chain.sealVersion(binding, secret);
  } finally {
    secret.fill(0);
  }
}
