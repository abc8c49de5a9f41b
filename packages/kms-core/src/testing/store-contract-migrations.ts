import assert from 'node:assert/strict';
import { newId } from '../model/identifiers.ts';
import { afterKey, firstPass, type KeyMigrationRecord } from '../model/key-migration.ts';
import type { Store } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  comparable,
  newTenant,
  sampleMigration,
  sampleMac,
  shreddedTenant,
  SYSTEM,
} from './store-samples.ts';

const ended = (migration: KeyMigrationRecord, at: Date): KeyMigrationRecord => ({
  ...migration,
  state: 'completed',
  endedAt: at,
  holder: null,
  revision: migration.revision + 1,
  mac: sampleMac(),
});

const idsOf = (migrations: readonly KeyMigrationRecord[]) => migrations.map(({ migrationId }) => migrationId);

export function migrationRules({ it }: Rules, store: () => Store): void {
  const insert = (migration: KeyMigrationRecord) =>
    asTenant(store(), migration.tenantId, (unit) => unit.migrations.insert(migration));
  const get = ({ tenantId, migrationId }: KeyMigrationRecord) =>
    asTenant(store(), tenantId, (unit) => unit.migrations.get(migrationId));
  const update = (migration: KeyMigrationRecord) =>
    asTenant(store(), migration.tenantId, (unit) => unit.migrations.update(migration));

  it('keeps every field of a migration, and changes only those that may change', async () => {
    const tenantId = await newTenant(store());
    const migration = sampleMigration(tenantId);
    await insert(migration);
    assert.deepEqual(comparable(await get(migration)), comparable(migration));
    const key = { keyId: newId(), createdAt: new Date('2026-03-01T10:00:00.001Z') };
    const changed: KeyMigrationRecord = {
      ...migration,
      progress: afterKey(afterKey(migration.progress, key, 'upgraded'), key, 'imported'),
      holder: 'a node',
      dueAt: new Date('2031-12-31T23:59:59.999Z'),
      revision: 2,
      mac: sampleMac({ tmkVersion: 3 }),
    };
    const other = { ...changed.order, target: 'another' };
    await update({ ...changed, order: other, createdAt: new Date('2026-04-01T10:00:00.001Z') });
    assert.deepEqual(comparable(await get(migration)), comparable(changed));
    const last = ended(changed, new Date('2026-03-02T10:00:00.001Z'));
    await update(last);
    assert.deepEqual(comparable(await get(migration)), comparable(last));
  });

  it('changes a migration only from the revision before, and never once it has ended', async () => {
    const tenantId = await newTenant(store());
    const migration = sampleMigration(tenantId);
    await insert(migration);
    for (const revision of [1, 3]) await assert.rejects(update({ ...migration, revision }), { code: 'CONFLICT' });
    await update(ended(migration, new Date('2026-03-02T10:00:00.001Z')));
    await assert.rejects(update({ ...migration, revision: 3 }), { code: 'CONFLICT' });
    await assert.rejects(update(sampleMigration(tenantId, { revision: 2 })), { code: 'CONFLICT' });
  });

  it('lets one migration of a tenant run at a time, and no id be used twice', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const migration = sampleMigration(tenantId);
    await insert(migration);
    await insert(sampleMigration(other));
    await assert.rejects(insert(sampleMigration(tenantId)), { code: 'CONFLICT' });
    await update(ended(migration, new Date('2026-03-02T10:00:00.001Z')));
    await assert.rejects(insert(migration), { code: 'CONFLICT' });
    const racing = await Promise.allSettled([insert(sampleMigration(tenantId)), insert(sampleMigration(tenantId))]);
    assert.deepEqual(racing.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });

  it('goes on after a migration that it refused', async () => {
    const tenantId = await newTenant(store());
    const migration = sampleMigration(tenantId);
    await insert(migration);
    const seen = await asTenant(store(), tenantId, async (unit) => {
      await assert.rejects(unit.migrations.insert(sampleMigration(tenantId)), { code: 'CONFLICT' });
      return unit.migrations.get(migration.migrationId);
    });
    assert.deepEqual(comparable(seen), comparable(migration));
  });

  it('lists those of a tenant, newest first and in pages', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    await insert(sampleMigration(other));
    const at = new Date('2026-03-02T10:00:00.001Z');
    const times = ['2026-03-01T10:00:00.001Z', '2026-03-01T10:00:00.001Z', '2026-03-01T10:00:00.002Z'];
    const migrations = times.map((time) =>
      sampleMigration(tenantId, { createdAt: new Date(time), state: 'completed', endedAt: at }),
    );
    for (const migration of migrations) await insert(migration);
    const [first, second, third] = migrations;
    const older = idsOf(migrations.slice(0, 2)).sort().toReversed();
    const list = (limit: number, after: KeyMigrationRecord | null = null) =>
      asTenant(store(), tenantId, (unit) => unit.migrations.list({ limit, after }));
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const all = await list(3);
    assert.deepEqual({ ids: idsOf(all.items), more: all.more }, { ids: [third.migrationId, ...older], more: false });
    const page = await list(1, third);
    assert.deepEqual({ ids: idsOf(page.items), more: page.more }, { ids: older.slice(0, 1), more: true });
  });

  it('neither shows nor changes one of another tenant', async () => {
    const [mine, theirs] = [await newTenant(store()), await newTenant(store())];
    const migration = sampleMigration(theirs);
    await insert(migration);
    await asTenant(store(), mine, async (unit) => {
      assert.equal(await unit.migrations.get(migration.migrationId, { lock: true }), undefined);
      assert.deepEqual(await unit.migrations.list({ limit: 10 }), { items: [], more: false });
    });
    const change = asTenant(store(), mine, (unit) => unit.migrations.update({ ...migration, revision: 2 }));
    await assert.rejects(change, { code: 'CONFLICT' });
    const foreign = asTenant(store(), mine, (unit) => unit.migrations.insert(sampleMigration(theirs)));
    await assert.rejects(foreign, { code: 'TENANT_MISMATCH' });
    const locked = asTenant(store(), mine, (unit) => unit.migrations.lockDue(10, []));
    await assert.rejects(locked, { code: 'INTERNAL_ERROR' });
    assert.deepEqual(comparable(await get(migration)), comparable(migration));
  });

  it('hands out what is due, the longest due first, and not what was passed over or has ended', async () => {
    const tenants = [await newTenant(store()), await newTenant(store()), await newTenant(store())];
    const [late, early, gone] = tenants.map((tenantId, index) =>
      sampleMigration(tenantId, { dueAt: new Date(Date.UTC(1990, 0, 3 - index)) }),
    );
    const resting = sampleMigration(await newTenant(store()), { dueAt: new Date('2999-01-01T00:00:00.000Z') });
    assert.ok(late !== undefined && early !== undefined && gone !== undefined);
    for (const migration of [late, early, gone, resting]) await insert(migration);
    await update(ended(gone, new Date('2026-03-02T10:00:00.001Z')));
    const own = new Set(idsOf([late, early, gone, resting]));
    const due = async (limit: number, except: readonly string[]) => {
      const found = await store().transact(SYSTEM, (unit) => unit.migrations.lockDue(limit, except));
      return idsOf(found).filter((id) => own.has(id));
    };
    assert.deepEqual(await due(1000, []), idsOf([early, late]));
    assert.deepEqual(await due(1000, idsOf([early])), idsOf([late]));
    assert.deepEqual(await due(1, []), idsOf([early]));
  });

  it('hands one migration to one of two units', async () => {
    const migration = sampleMigration(await newTenant(store()), { dueAt: new Date('1980-01-01T00:00:00.000Z') });
    await insert(migration);
    const take = () =>
      store().transact(SYSTEM, async (unit) => {
        const found = await unit.migrations.lockDue(1000, []);
        const own = found.find(({ migrationId }) => migrationId === migration.migrationId);
        if (own === undefined) return false;
        await unit.migrations.update({ ...own, dueAt: new Date('2999-01-01T00:00:00.000Z'), revision: 2 });
        return true;
      });
    assert.deepEqual((await Promise.all([take(), take()])).sort(), [false, true]);
  });

  it('takes none for a tenant that was shredded, and hands none of it out', async () => {
    const tenantId = await newTenant(store());
    const migration = sampleMigration(tenantId, { dueAt: new Date('1980-01-01T00:00:00.000Z') });
    await insert(migration);
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
    const due = await store().transact(SYSTEM, (unit) => unit.migrations.lockDue(1000, []));
    assert.equal(idsOf(due).includes(migration.migrationId), false);
    await assert.rejects(insert(sampleMigration(tenantId, { state: 'cancelled' })), { code: 'CONFLICT' });
  });

  it('keeps the newest of those that have ended, and what is running', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const endedAt = new Date('2026-03-05T10:00:00.001Z');
    const over = (owner: string, day: number) =>
      sampleMigration(owner, { createdAt: new Date(Date.UTC(2026, 2, day)), state: 'cancelled', endedAt });
    const running = sampleMigration(tenantId, { createdAt: new Date('2026-02-01T10:00:00.001Z') });
    const [oldest, older, newest, theirs] = [over(tenantId, 1), over(tenantId, 2), over(tenantId, 3), over(other, 1)];
    for (const migration of [running, oldest, older, newest, theirs]) await insert(migration);
    await asTenant(store(), tenantId, (unit) => unit.migrations.removeEnded(1));
    const left = await asTenant(store(), tenantId, (unit) => unit.migrations.list({ limit: 10 }));
    assert.deepEqual(idsOf(left.items), idsOf([newest, running]));
    assert.deepEqual(comparable(await get(theirs)), comparable(theirs));
  });

  it('keeps a progress with nothing in it', async () => {
    const migration = sampleMigration(await newTenant(store()), { progress: firstPass(7) });
    await insert(migration);
    assert.deepEqual((await get(migration))?.progress, firstPass(7));
  });
}
