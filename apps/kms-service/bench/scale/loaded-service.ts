import { randomBytes } from 'node:crypto';
import { type KeyId, softwareRoot, type TenantId } from '@qnsp/kms-core';
import { KeyHierarchy } from '@qnsp/kms-core/internal';
import type { KeyRecord, Store } from '@qnsp/kms-core/ports';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { insertKeys } from '@qnsp/kms-store-drizzle/testing';
import { createDatabase, startService } from '@qnsp/test-harness';
import { type BenchTenant, generateKeys } from './generate-keys.ts';

export interface Size {
  readonly tenants: number;
  readonly keysPerTenant: number;
}

export interface SampledKey {
  readonly tenantId: TenantId;
  readonly keyId: KeyId;
}

/** A service on a database of its own that was filled with keys. */
export interface LoadedService {
  readonly store: Store;
  readonly tenantIds: readonly TenantId[];
  /** Some of the keys, in no order. */
  readonly sample: readonly SampledKey[];
  readonly loadSeconds: number;
  /** Sends a request for a tenant. Throws for an answer that is not a success. */
  request(method: 'GET' | 'POST', tenantId: TenantId, path: string, body?: object): Promise<unknown>;
  end(): Promise<void>;
}

/** Makes a database on the server, starts the service on it, and loads keys of that number. */
export async function startLoadedService(
  serverUrl: string,
  { tenants, keysPerTenant }: Size,
  sampleSize: number,
): Promise<LoadedService> {
  const database = await createDatabase(serverUrl);
  const rootKey = randomBytes(32);
  const token = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
  const service = await startService({
    env: {
      DATABASE_URL: database.url,
      KMS_ROOT_KEY: rootKey.toString('base64'),
      KMS_PLATFORM_TOKEN: token,
      // Every use of a key is one of a key that the node has not in memory.
      KMS_CACHE_ENABLED: 'false',
      LOG_LEVEL: 'warn',
    },
  });
  const opened = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'off' });
  const hierarchy = new KeyHierarchy(opened.store, [softwareRoot('software', rootKey)]);

  const request: LoadedService['request'] = async (method, tenantId, path, body) => {
    const response = await fetch(`${service.baseUrl}/kms/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(tenantId === '' ? {} : { 'x-qnsp-tenant': tenantId }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };

  const made: BenchTenant[] = [];
  for (let number = 0; number < tenants; number += 1) {
    const { tenantId } = (await request('POST', '', 'tenants', { name: `tenant ${number}` })) as SampledKey;
    made.push({ tenantId, chain: await hierarchy.masterKeys(tenantId) });
  }
  const sample: SampledKey[] = [];
  const started = performance.now();
  const share = (sampleSize / (tenants * keysPerTenant)) * 1.1;
  await insertKeys(database.url, sampled(generateKeys(made, keysPerTenant, new Date()), share, sample));
  const loadSeconds = (performance.now() - started) / 1000;
  return {
    store: opened.store,
    tenantIds: made.map(({ tenantId }) => tenantId),
    sample: shuffled(sample),
    loadSeconds,
    request,
    async end() {
      await opened.close();
      await service.stop();
      await database.drop();
    },
  };
}

/** Passes the batches on and keeps about this share of their keys. */
function* sampled(
  batches: Iterable<readonly KeyRecord[]>,
  share: number,
  sample: SampledKey[],
): Generator<readonly KeyRecord[]> {
  for (const batch of batches) {
    for (const { tenantId, keyId } of batch) if (Math.random() < share) sample.push({ tenantId, keyId });
    yield batch;
  }
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
