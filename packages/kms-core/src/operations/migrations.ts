import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId, checkInteger } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { MigrationAuthority } from '../hierarchy/migration-authority.ts';
import { describeMigration, type KeyMigrationDescription } from '../model/describe-migration.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import type { MigrationQuery } from '../ports/migration-records.ts';
import { Turns } from '../scheduling/turns.ts';
import { authenticOf } from './authentic-records.ts';
import { OPERATIONS } from './catalog.ts';
import { listCursors } from './list-cursor.ts';
import type { Operation } from './operation.ts';
import { runOnce } from './run-once.ts';

/** Which migration is meant. */
export interface NamedMigration {
  readonly migrationId: string;
}

/** Which page of migrations is listed. */
export interface ListMigrationsInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** A page of migrations. */
export interface ListMigrationsResult {
  readonly items: readonly KeyMigrationDescription[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /** Names the migrations whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/** A migration of the caller's tenant, and how far it has got. Throws `NOT_FOUND`. */
export async function getMigration(
  { kms, caller }: Operation,
  { migrationId }: NamedMigration,
): Promise<KeyMigrationDescription> {
  requirePermission(caller, OPERATIONS.getMigration.permission);
  checkId('migrationId', migrationId);
  const { tenantId } = caller;
  checkId('tenantId', tenantId);
  const authority = new MigrationAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  const record = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) => unit.migrations.get(migrationId));
  if (record === undefined) throw notFound();
  authority.verify(record);
  return describeMigration(record);
}

/** A page of the migrations of the tenant, newest first. */
export async function listMigrations(
  { kms, caller }: Operation,
  { limit = BOUNDS.pageItems.default, cursor }: ListMigrationsInput,
): Promise<ListMigrationsResult> {
  requirePermission(caller, OPERATIONS.listMigrations.permission);
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  const { tenantId } = caller;
  checkId('tenantId', tenantId);
  const cursors = await listCursors<Position>(kms.hierarchy, tenantId, 'migrations', {});
  const after = cursor === undefined ? null : placeOf(cursors.open(cursor));
  const authority = new MigrationAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  const page = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) => unit.migrations.list({ limit, after }));
  const { authentic, ...rest } = await authenticOf(
    kms,
    page.items,
    (record) => authority.verify(record),
    ({ migrationId }) => ['migration', migrationId],
    new Turns(tenantId),
  );
  const last = page.items.at(-1);
  const nextCursor =
    page.more && last !== undefined
      ? cursors.seal({ createdAt: last.createdAt.getTime(), migrationId: last.migrationId })
      : null;
  return { items: authentic.map(describeMigration), nextCursor, ...rest };
}

/**
 * Ends a running migration: no further key is changed. Those that were stay as they are. One that has ended is answered as it is.
 *
 * @throws KmsError `NOT_FOUND`
 */
export async function cancelMigration(
  op: Operation,
  { migrationId }: NamedMigration,
): Promise<KeyMigrationDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.cancelMigration.permission);
  checkId('migrationId', migrationId);
  checkIdempotency(op.idempotency);
  const { tenantId } = caller;
  const authority = new MigrationAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  return kms.hierarchy.under(tenantId, (chain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'cancel-migration' }, async () => {
        const record = await unit.migrations.get(migrationId, { lock: true });
        if (record === undefined) throw notFound();
        authority.verify(record);
        if (record.state !== 'running') return describeMigration(record);
        const cancelled = authority.sign({
          ...record,
          state: 'cancelled',
          endedAt: unit.now,
          holder: null,
          revision: record.revision + 1,
        });
        await unit.migrations.update(cancelled);
        await op.evidence?.changed(unit, {
          eventType: OPERATIONS.cancelMigration.event,
          resource: { type: 'tenant', id: tenantId, version: null },
          before: { migrationId, state: record.state },
          after: { migrationId, state: cancelled.state, upgraded: record.progress.upgraded },
        });
        return describeMigration(cancelled);
      }),
    ),
  );
}

/** The last migration of a page, in what a cursor holds. */
interface Position {
  readonly createdAt: number;
  readonly migrationId: string;
}

function placeOf({ createdAt, migrationId }: Position): NonNullable<MigrationQuery['after']> {
  return { createdAt: new Date(createdAt), migrationId };
}

function notFound(): KmsError {
  return new KmsError('NOT_FOUND', 'There is no migration with this id.');
}
