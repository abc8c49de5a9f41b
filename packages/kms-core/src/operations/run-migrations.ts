import { BOUNDS } from '../bounds/bounds.ts';
import { checkInteger, checkLine } from '../bounds/check-values.ts';
import { MigrationAuthority } from '../hierarchy/migration-authority.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import { afterKey, type KeyMigrationRecord, type MigrationProgress, nextPass } from '../model/key-migration.ts';
import { Turns } from '../scheduling/turns.ts';
import { authenticRecords } from './authentic-records.ts';
import { OPERATIONS } from './catalog.ts';
import { later, lockHeld, type MigrationWork, NotHeld, takeDue, writeMigration } from './held-migration.ts';
import type { Kms } from './kms.ts';
import { migrateKey } from './migrate-key.ts';
import { type Operation, unattended } from './operation.ts';
import { starterOf } from './plan-migration.ts';

/** What one run did. */
export interface MigrationsReport {
  readonly upgraded: number;
  /** The migrations that looked at every key. */
  readonly completed: readonly { readonly tenantId: TenantId; readonly migrationId: string }[];
  /** Keys of which a version could not be made, each said once. */
  readonly keys: readonly { readonly key: Pick<KeyRecord, 'tenantId' | 'keyId'>; readonly error: unknown }[];
  /** Migrations whose turn failed; they come up again at the next run. */
  readonly failed: readonly { readonly tenantId: TenantId; readonly error: unknown }[];
}

/** How a run works. */
export interface MigrationsRun {
  /** Tells this process from every other one. */
  readonly holder: string;
  /** After how long without a sign of life another process goes on with what this one was at: 1,000 to 3,600,000 ms; default: 30,000. */
  readonly leaseMs?: number;
}

const LEASE_MS = 30_000;
/** How many keys a turn looks at. */
const KEYS_PER_TURN = 50;
/** How many of them it upgrades: other tenants wait for their turn. */
const UPGRADES_PER_TURN = 10;
/** How long they wait. */
const PASSES_APART_MS = 60_000;

/**
 * Goes on with the migrations that are running, until none is due. Any number of nodes may do so, and be ended at any moment: a migration is
 * held by one of them at a time, and each key is changed in one unit of work with the progress of its migration. Tenants take turns.
 *
 * @param signal ends the run after the key that it is at
 */
export async function runMigrations(
  service: Operation,
  { holder, leaseMs = LEASE_MS }: MigrationsRun,
  signal: AbortSignal,
): Promise<MigrationsReport> {
  checkLine('holder', holder, BOUNDS.nameCharacters);
  checkInteger('leaseMs', leaseMs, BOUNDS.migration.leaseMs.minimum, BOUNDS.migration.leaseMs.maximum);
  const { kms } = service;
  const authority = new MigrationAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  const work: MigrationWork = { service, authority, holder, leaseMs, signal };
  let upgraded = 0;
  const completed: { tenantId: TenantId; migrationId: string }[] = [];
  const keys: { key: KeyRecord; error: unknown }[] = [];
  const failed: { tenantId: TenantId; error: unknown }[] = [];
  const passedOver = new Set<string>();
  while (!signal.aborted) {
    const held = await takeDue(work, passedOver);
    if (held.length === 0) break;
    for (const migration of held) {
      const { tenantId, migrationId } = migration;
      try {
        const turn = await takeTurn(work, migration);
        upgraded += turn.upgraded;
        keys.push(...turn.failed);
        if (turn.completed) completed.push({ tenantId, migrationId });
      } catch (error) {
        if (error instanceof NotHeld) continue;
        passedOver.add(migrationId);
        // Of a tenant that was shredded meanwhile nothing is left to migrate.
        if (!(await isShredded(kms, tenantId))) failed.push({ tenantId, error });
      }
    }
  }
  return { upgraded, completed, keys, failed };
}

async function isShredded({ store }: Kms, tenantId: TenantId): Promise<boolean> {
  const tenant = await store.transact({ kind: 'system' }, (unit) => unit.tenants.get(tenantId));
  return tenant === undefined || tenant.state === 'shredded';
}

/** What one turn did. */
interface Turn {
  readonly upgraded: number;
  readonly completed: boolean;
  readonly failed: readonly { readonly key: KeyRecord; readonly error: unknown }[];
}

async function takeTurn(work: MigrationWork, migration: KeyMigrationRecord): Promise<Turn> {
  const { service, signal } = work;
  const { kms } = service;
  const { tenantId } = migration;
  const before = migration.progress.upgraded;
  const rules = { order: migration.order, starter: starterOf(migration), quotas: await kms.quotas.of(tenantId) };
  const turns = new Turns(tenantId);
  const page = await readPage(kms, migration, turns);
  const failed: { key: KeyRecord; error: unknown }[] = [];
  let { progress } = migration;
  let left = page.more;
  for (const [index, { key, isAuthentic }] of page.keys.entries()) {
    await turns.pause();
    if (signal.aborted || progress.upgraded - before >= UPGRADES_PER_TURN) {
      left = left || index < page.keys.length;
      break;
    }
    const fail = (error: unknown) => failed.push({ key, error });
    progress = isAuthentic
      ? await migrateKey({ ...work, migration, rules, fail }, key, progress)
      : afterKey(progress, key, 'unreadable');
  }
  const completed = await endTurn(work, migration, progress, left);
  return { upgraded: progress.upgraded - before, completed, failed };
}

async function readPage(kms: Kms, { tenantId, progress: { after } }: KeyMigrationRecord, turns: Turns) {
  return kms.hierarchy.under(tenantId, async (chain, isNewest) => {
    const place = after && { createdAt: new Date(after.createdAt), keyId: after.keyId };
    const { items, more } = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      unit.keys.list({ limit: KEYS_PER_TURN, after: place }),
    );
    const { authentic } = await authenticRecords(kms, chain, items, turns, isNewest);
    const found = new Set(authentic);
    return { keys: items.map((key) => ({ key, isAuthentic: found.has(key) })), more };
  });
}

/** Stores how far the turn got and lets go of the migration. Answers whether it is completed. */
async function endTurn(
  work: MigrationWork,
  { tenantId, migrationId }: KeyMigrationRecord,
  progress: MigrationProgress,
  left: boolean,
): Promise<boolean> {
  const { service, authority } = work;
  const { kms } = service;
  const { evidence } = unattended(service, 'runMigrations', tenantId);
  return kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
    const held = await lockHeld(work, unit, migrationId);
    const free = { ...held, progress, holder: null, dueAt: unit.now };
    if (left) {
      await writeMigration({ unit, authority }, held, free);
      return false;
    }
    if (progress.waiting > 0) {
      const rested = { ...free, progress: nextPass(progress), dueAt: later(unit.now, PASSES_APART_MS) };
      await writeMigration({ unit, authority }, held, rested);
      return false;
    }
    await writeMigration({ unit, authority }, held, { ...free, state: 'completed', endedAt: unit.now });
    const { upgraded, refused } = progress;
    await evidence?.changed(unit, {
      eventType: OPERATIONS.runMigrations.event,
      resource: { type: 'tenant', id: tenantId, version: null },
      before: { migrationId, state: 'running' },
      after: {
        migrationId,
        state: 'completed',
        upgraded,
        refused: Object.entries(refused).map(([reason, count]) => `${reason}: ${count}`),
      },
    });
    return true;
  });
}
