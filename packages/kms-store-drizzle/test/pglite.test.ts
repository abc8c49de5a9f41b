import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import type { Store } from '@qnsp/kms-core/ports';
import { asTenant, comparable, insertKey, newTenant, sampleKey, SYSTEM } from '@qnsp/kms-core/testing';
import { openPgliteStore } from '@qnsp/kms-store-drizzle';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 };

it('keeps what was stored on disk, for one process at a time and for no older version', async () => {
  const files = tempDir();
  const dataDir = join(files.path, 'deep', 'data');

  const first = await openPgliteStore({ dataDir });
  await expect(openPgliteStore({ dataDir })).rejects.toMatchObject({
    ...UNAVAILABLE,
    message: expect.stringMatching(/open: stop it first, or use another directory/),
  });
  const tenantId = await newTenant(first.store);
  const key = await insertKey(first.store, sampleKey(tenantId));
  await first.close();
  await first.close();

  const second = await openPgliteStore({ dataDir: `file://${dataDir}` });
  const read = await second.store.readKey(tenantId, key.keyId);
  expect(comparable(read)).toStrictEqual(comparable(key));
  await second.close();

  const client = await PGlite.create(dataDir);
  await client.exec(`insert into drizzle.kms_migrations (hash, created_at) values ('of the future', 1)`);
  await client.close();
  // The refusal leaves the directory free, so that the second one is for the same reason.
  for (const attempt of [1, 2]) {
    await expect(openPgliteStore({ dataDir }), `attempt ${attempt}`).rejects.toThrow(
      'The database is newer than this version',
    );
  }
  await files.remove();
});

it('opens behind a link, and makes a directory anew that a process left unfinished', async () => {
  const files = tempDir();
  const dataDir = join(files.path, 'data');
  const link = join(files.path, 'link');
  mkdirSync(dataDir);
  symlinkSync(dataDir, link);
  mkdirSync(`${dataDir}.unfinished`);
  writeFileSync(join(`${dataDir}.unfinished`, 'PG_VERSION'), '18\n');
  const behindLink = await openPgliteStore({ dataDir: link });
  await expect(openPgliteStore({ dataDir })).rejects.toMatchObject(UNAVAILABLE);
  const key = await insertKey(behindLink.store, sampleKey(await newTenant(behindLink.store)));
  await behindLink.close();
  const direct = await openPgliteStore({ dataDir });
  expect(comparable(await direct.store.readKey(key.tenantId, key.keyId))).toStrictEqual(comparable(key));
  await direct.close();
  expect(readdirSync(files.path).sort()).toEqual(['data', 'data.lock', 'link']);
  await files.remove();
});

it.each([
  ['a link that leads nowhere', (path: string) => symlinkSync(`${path}-gone`, path), 'ENOENT'],
  ['a file', (path: string) => writeFileSync(path, ''), 'EEXIST'],
  [
    'a directory of something else',
    (path: string) => (mkdirSync(path), writeFileSync(join(path, 'x'), '')),
    'ENOTEMPTY',
  ],
])('says why %s does not open, and leaves it alone', async (_, make, reason) => {
  const files = tempDir();
  const dataDir = join(files.path, 'data');
  make(dataDir);
  const before = readdirSync(files.path);
  for (const attempt of [1, 2])
    await expect(openPgliteStore({ dataDir }), `attempt ${attempt}`).rejects.toThrow(reason);
  expect(readdirSync(files.path).filter((name) => !/\.(lock|unfinished)$/.test(name))).toEqual(before);
  await files.remove();
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
    await expect(slow).rejects.toMatchObject(UNAVAILABLE);
    await sleep(200);
    await expect(store.readKey(tenantId, key.keyId)).resolves.toBeUndefined();
    await expect(asTenant(store, tenantId, (unit) => unit.keys.count())).resolves.toEqual({
      byState: {},
      byAlgorithm: {},
      operationsThisMonth: 0,
    });
  });

  it('does not begin the work of a unit whose time ran out in the queue', async () => {
    let begun = false;
    const slow = store.transact(SYSTEM, async () => {
      // Without a turn for any timer, as when the database is at work.
      for (const end = performance.now() + 350; performance.now() < end; );
    });
    const behind = store.transact(SYSTEM, async () => {
      begun = true;
    });
    await Promise.allSettled([slow]);
    await expect(behind).rejects.toMatchObject(UNAVAILABLE);
    expect(begun).toBe(false);
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
    await close();
    await expect(store.ping()).rejects.toMatchObject(UNAVAILABLE);
    await expect(newTenant(store)).rejects.toMatchObject(UNAVAILABLE);
  });
});
