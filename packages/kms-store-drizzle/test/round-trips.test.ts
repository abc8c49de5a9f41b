import type { KeyRecord, Store } from '@qnsp/kms-core/ports';
import { asTenant, insertKey, newTenant, rotated, sampleKey } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres, { type Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Driver } from '../src/driver/driver.ts';
import { DrizzleStore } from '../src/drizzle-store.ts';
import { namesIn } from '../src/driver/names.ts';
import { scopeStatement } from '../src/driver/scope.ts';
import { rawSql } from './raw-sql.ts';

const STATEMENTS: readonly (readonly [string, RegExp])[] = [
  ['lock the key', /from "kms"\."keys" .*for update/],
  ['read the key', /string_agg/],
  ['change the key', /^update "kms"\."keys"/],
  ['change versions', /^update "kms"\."key_versions"/],
  ['add a version', /^insert into "kms"\."key_versions"/],
];

/** A driver of one connection whose units are committed. */
function driverOn(sql: Sql): Driver {
  const db = drizzle(sql);
  return {
    names: namesIn(),
    async transaction(scope, work) {
      await sql.unsafe(`begin; ${scopeStatement(namesIn(), scope)}`);
      try {
        const answer = await work(db, new Date());
        await sql.unsafe('commit');
        return answer;
      } catch (error) {
        await sql.unsafe('rollback');
        throw error;
      }
    },
    statement: async (query) => query(db),
    asOwner: (work) => work(db),
    close: () => sql.end(),
  };
}

describe('a change of a key', () => {
  let database: TestDatabase;
  let close: () => Promise<void>;
  let others: Store;
  let blocker: Sql;
  let sql: Sql;
  let store: Store;
  let tenantId: string;
  let key: KeyRecord;
  /** What the connection of `store` has sent, in this order. */
  const sent: string[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    ({ store: others, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
    blocker = rawSql(database.url);
    sql = postgres(database.url, {
      max: 1,
      fetch_types: false,
      onnotice: () => undefined,
      debug: (_connection, text) => {
        const name = STATEMENTS.find(([, pattern]) => pattern.test(text))?.[0];
        if (name !== undefined) sent.push(name);
      },
    });
    store = new DrizzleStore(driverOn(sql));
    tenantId = await newTenant(others);
  });
  afterAll(async () => {
    await blocker.end();
    await sql.end();
    await close();
    await database.drop();
  });
  beforeEach(async () => {
    key = await insertKey(store, sampleKey(tenantId));
    sent.length = 0;
  });
  afterEach(async () => {
    await blocker.unsafe('rollback');
  });

  async function rotateLocked({ keyId } = key, seen?: KeyRecord): Promise<void> {
    await asTenant(store, tenantId, async (unit) => {
      const current = await unit.keys.get(keyId, { lock: true, seen });
      if (current === undefined) throw new Error('the key is gone');
      await unit.keys.update(rotated(current), current.revision);
    });
  }

  /** Has the server know the statements: before that, a driver has to ask about each first. */
  async function warmUp(): Promise<void> {
    await rotateLocked(await insertKey(store, sampleKey(tenantId)));
    sent.length = 0;
  }

  async function waitsForALock(): Promise<void> {
    await vi.waitFor(
      async () => {
        const waiting = await blocker`
          select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
        expect(waiting).toHaveLength(1);
      },
      { timeout: 20_000, interval: 10 },
    );
  }

  // The first on its connection, where the server does not know the statements yet.
  it('locks, reads, changes and adds in this order, on a new connection as on a used one', async () => {
    await rotateLocked();
    await rotateLocked();
    const once = STATEMENTS.map(([name]) => name);
    expect(sent).toEqual([...once, ...once]);
  });

  it('sends the read behind the lock without waiting, and reads what the wait was for', async () => {
    await warmUp();
    await blocker.unsafe(`begin; select from kms.keys where key_id = '${key.keyId}' for update`);
    const rotation = rotateLocked();
    await waitsForALock();
    expect(sent).toEqual(['lock the key', 'read the key']);
    await blocker.unsafe(`update kms.keys set revision = 2, name = 'meanwhile' where key_id = '${key.keyId}'; commit`);
    await rotation;
    await expect(others.readKey(tenantId, key.keyId)).resolves.toMatchObject({ name: 'meanwhile', revision: 3 });
  });

  it('does not read again what was seen, unless it had to wait for a change of that', async () => {
    await warmUp();
    await rotateLocked(key, key);
    expect(sent).toEqual(STATEMENTS.map(([name]) => name).filter((name) => name !== 'read the key'));
    const seen = await others.readKey(tenantId, key.keyId);
    sent.length = 0;
    await blocker.unsafe(`begin; select from kms.keys where key_id = '${key.keyId}' for update`);
    const rotation = rotateLocked(key, seen);
    await waitsForALock();
    const tag = `decode('${'ab'.repeat(32)}', 'hex')`;
    await blocker.unsafe(
      `update kms.keys set revision = 3, name = 'meanwhile', mac_tag = ${tag} where key_id = '${key.keyId}'; commit`,
    );
    await rotation;
    expect(sent).toEqual(STATEMENTS.map(([name]) => name));
    await expect(others.readKey(tenantId, key.keyId)).resolves.toMatchObject({ name: 'meanwhile', revision: 4 });
  });

  it('sends the versions behind the key without waiting when the unit holds the key', async () => {
    await warmUp();
    await blocker.unsafe(`begin; select from kms.tenants where tenant_id = '${tenantId}' for update`);
    const rotation = rotateLocked();
    await waitsForALock();
    expect(sent).toEqual(STATEMENTS.map(([name]) => name));
    await blocker.unsafe('commit');
    await rotation;
  });

  it('writes no version before it knows that nobody was ahead, and goes on after a conflict', async () => {
    const added = sampleKey(tenantId);
    await asTenant(store, tenantId, async (unit) => {
      await unit.keys.get(key.keyId);
      await asTenant(others, tenantId, (other) => other.keys.update({ ...key, revision: 2, name: 'first' }, 1));
      await expect(unit.keys.update(rotated(key), 1)).rejects.toMatchObject({ code: 'CONFLICT' });
      await unit.keys.insert(added);
    });
    expect(sent).toEqual(['read the key', 'change the key', 'add a version']);
    await expect(others.readKey(tenantId, key.keyId)).resolves.toMatchObject({
      name: 'first',
      versions: { length: 1 },
    });
    await expect(others.readKey(tenantId, added.keyId)).resolves.toMatchObject({ revision: 1 });
  });

  it('asks for what a unit locks first together with its beginning', async () => {
    await blocker.unsafe(`begin; select from kms.keys where key_id = '${key.keyId}' for update`);
    let goOn: () => void = () => undefined;
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    // Its work has asked for nothing yet.
    const rotation = others.transact(
      { kind: 'tenant', tenantId },
      async (unit) => {
        await mayGoOn;
        const current = await unit.keys.get(key.keyId, { lock: true });
        if (current !== undefined) await unit.keys.update(rotated(current), current.revision);
        return current;
      },
      { keyId: key.keyId },
    );
    await waitsForALock();
    await blocker.unsafe(`update kms.keys set revision = 2, name = 'meanwhile' where key_id = '${key.keyId}'; commit`);
    goOn();
    await expect(rotation).resolves.toMatchObject({ revision: 2, name: 'meanwhile' });
    await expect(others.readKey(tenantId, key.keyId)).resolves.toMatchObject({ revision: 3, versions: { length: 2 } });
  });

  it('fails for the reason of its first statement that fails', async () => {
    await blocker.unsafe(`begin; select from kms.keys where key_id = '${key.keyId}' for update`);
    await sql.unsafe(`set lock_timeout = 50`);
    await expect(rotateLocked()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await blocker.unsafe('commit');
    await sql.unsafe(`reset lock_timeout`);
    // Both the key and the version are refused.
    const broken = { ...rotated(rotated(key)), revision: 2, currentVersion: 3 };
    await expect(
      asTenant(store, tenantId, async (unit) => {
        await unit.keys.get(key.keyId, { lock: true });
        await unit.keys.update({ ...broken, rotation: { ...broken.rotation, retainVersions: -1 } }, 1);
      }),
    ).rejects.toMatchObject({
      code: 'INTERNAL_ERROR',
      cause: { message: expect.stringContaining('keys_retain_versions') },
    });
    await expect(others.readKey(tenantId, key.keyId)).resolves.toMatchObject({ revision: 1, versions: { length: 1 } });
  });
});
