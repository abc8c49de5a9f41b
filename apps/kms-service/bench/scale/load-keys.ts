import type { KeyId } from '@qnsp/kms-core';
import type { KeyRecord } from '@qnsp/kms-core/ports';
import { insertKeys } from '@qnsp/kms-store-drizzle/testing';
import { type BenchTenant, generateKeys } from './generate-keys.ts';

/** Puts so many keys of a tenant into a database, each of so many versions. */
export async function loadKeys(
  databaseUrl: string,
  tenant: BenchTenant,
  count: number,
  versions = 1,
): Promise<readonly KeyId[]> {
  const keyIds: KeyId[] = [];
  await insertKeys(databaseUrl, noted(generateKeys([tenant], count, new Date(), versions), keyIds));
  return keyIds;
}

function* noted(batches: Iterable<readonly KeyRecord[]>, keyIds: KeyId[]): Generator<readonly KeyRecord[]> {
  for (const batch of batches) {
    for (const { keyId } of batch) keyIds.push(keyId);
    yield batch;
  }
}
