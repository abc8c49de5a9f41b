import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import type { Store } from '@qnsp/kms-core';
import { asTenant, comparable, insertKey, newTenant, sampleKey, SYSTEM } from '@qnsp/kms-core/testing';
import { openPgliteStore } from '@qnsp/kms-store-drizzle';
import { type TempDir, tempDir } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 };

describe('the embedded database on disk', () => {
  let files: TempDir;
  let dataDir: string;

  beforeEach(() => {
    files = tempDir();
    dataDir = join(files.path, 'deep', 'data');
  });
  afterEach(async () => {
    await files.remove();
  });

  it('keeps what was stored, and migrates once', async () => {
    const first = await openPgliteStore({ dataDir });
    const tenantId = await newTenant(first.store);
    const key = await insertKey(first.store, sampleKey(tenantId));
    await first.close();
    const second = await openPgliteStore({ dataDir: `file://${dataDir}` });
    const read = await second.store.readKey(tenantId, key.keyId);
    expect(comparable(read)).toStrictEqual(comparable(key));
    await second.close();
    expect(existsSync(join(dataDir, 'PG_VERSION'))).toBe(true);
  });

  it('belongs to one process at a time, and is free again when that ends', async () => {
    const first = await openPgliteStore({ dataDir });
    await expect(openPgliteStore({ dataDir })).rejects.toMatchObject(UNAVAILABLE);
    await first.store.ping();
    await first.close();
    await first.close();
    const second = await openPgliteStore({ dataDir });
    await second.close();
  });

  it('is not touched when it is newer than this version', async () => {
    const { close } = await openPgliteStore({ dataDir });
    await close();
    const client = await PGlite.create(dataDir);
    await client.exec(`insert into drizzle.kms_migrations (hash, created_at) values ('of the future', 1)`);
    await client.close();
    await expect(openPgliteStore({ dataDir })).rejects.toThrow('The database is newer than this version');
    // The refusal leaves the directory free.
    await expect(openPgliteStore({ dataDir })).rejects.toThrow('The database is newer than this version');
  });
});

describe('the embedded database', () => {
  let store: Store;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ store, close } = await openPgliteStore({ dataDir: 'memory://', statementTimeoutMs: 300 }));
  });
  afterAll(async () => {
    await close();
  });

  it('ends a unit whose work takes too long, and keeps nothing of it', async () => {
    const tenantId = await newTenant(store);
    const key = sampleKey(tenantId);
    const slow = asTenant(store, tenantId, async (unit) => {
      await unit.keys.insert(key);
      await sleep(400);
      await unit.keys.insert(sampleKey(tenantId));
    });
    const begun: string[] = [];
    const behind = asTenant(store, tenantId, async () => void begun.push('behind'));
    await expect(slow).rejects.toMatchObject(UNAVAILABLE);
    await Promise.allSettled([behind]);
    await sleep(200);
    await expect(store.readKey(tenantId, key.keyId)).resolves.toBeUndefined();
    await expect(asTenant(store, tenantId, (unit) => unit.keys.count())).resolves.toEqual({ byState: {}, byAlgorithm: {} });
  });

  it('does not begin the work of a unit whose time ran out in the queue', async () => {
    let begun = 0;
    const units = Array.from({ length: 4 }, () =>
      store.transact(SYSTEM, async () => {
        begun += 1;
        await sleep(200);
      }),
    );
    const outcomes = await Promise.allSettled(units);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    await sleep(100);
    expect(begun).toBe(2);
    await store.ping();
  });

  it('does not report success for a unit that swallowed the failure of a statement', async () => {
    const tenantId = await newTenant(store);
    const key = sampleKey(tenantId);
    const unit = asTenant(store, tenantId, async (work) => {
      await work.keys.insert(key);
      await work.keys.insert(sampleKey(tenantId, { state: 'revoked' })).catch(() => undefined);
    });
    await expect(unit).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(store.readKey(tenantId, key.keyId)).resolves.toBeUndefined();
  });

  it('is unavailable once it is closed', async () => {
    const other = await openPgliteStore({ dataDir: 'memory://' });
    await other.close();
    await expect(other.store.ping()).rejects.toMatchObject(UNAVAILABLE);
    await expect(newTenant(other.store)).rejects.toMatchObject(UNAVAILABLE);
  });
});
