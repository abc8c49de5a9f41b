import { type Caller, requirePermission } from '../access/caller.ts';
import { isAllowed } from '../access/evaluate-policy.ts';
import { type Algorithm, KEY_PURPOSES, type KeyPurpose } from '../algorithms/registry.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkAlgorithm, checkBoolean, checkId, checkInteger, checkLine, checkOneOf } from '../bounds/check-values.ts';
import { badRequest } from '../errors/kms-error.ts';
import { MigrationAuthority } from '../hierarchy/migration-authority.ts';
import { requireCreatable } from '../lifecycle/admission.ts';
import { describeMigration, type KeyMigrationDescription } from '../model/describe-migration.ts';
import { type KeyId, newId, SYSTEM_TENANT } from '../model/identifiers.ts';
import { PROTECTION_LEVELS, type ProtectionLevel } from '../model/key.ts';
import { firstPass, type MigrationRefusal, type MigrationSelector, QUANTUM_SAFE } from '../model/key-migration.ts';
import type { KeyQuery } from '../ports/store.ts';
import { Turns } from '../scheduling/turns.ts';
import { authenticRecords } from './authentic-records.ts';
import { MIGRATION_PLANNED, OPERATIONS } from './catalog.ts';
import { listCursors } from './list-cursor.ts';
import type { Operation } from './operation.ts';
import { isSelected, planWithHsm } from './plan-migration.ts';
import { runOnce } from './run-once.ts';

/** Which keys are meant: those that meet all of it; without any of it every key of the tenant. */
export interface MigrationSelectorInput extends Omit<MigrationSelector, 'algorithm' | 'purpose' | 'protectionLevel'> {
  readonly algorithm?: Algorithm;
  readonly purpose?: KeyPurpose;
  readonly protectionLevel?: ProtectionLevel;
  readonly keyIds?: readonly KeyId[];
}

/** What is migrated to what. */
export interface CreateMigrationInput {
  readonly selector?: MigrationSelectorInput;
  /** `quantum-safe` is the post-quantum default for what each key does. */
  readonly target: typeof QUANTUM_SAFE | Algorithm;
  /** Only says what would be done, a page of keys at a time; default: it is done. */
  readonly dryRun?: boolean;
  /** How many keys a page of a dry run looks at, from 1 to 200; default: 50. */
  readonly limit?: number;
  /** Where the page of a dry run starts. */
  readonly cursor?: string;
}

/** What would be done with one key. */
export interface PlannedKey {
  readonly keyId: KeyId;
  readonly name: string | null;
  readonly algorithm: string;
  readonly action: 'upgrade' | 'none' | 'refuse';
  /** The algorithm that it gets; `null` where it gets none. */
  readonly target: string | null;
  /** Why it stays as it is; `null` where nothing keeps it from anything. */
  readonly refusal: MigrationRefusal | null;
}

/** A page of what would be done, the newest keys first. */
export interface MigrationPlan {
  readonly items: readonly PlannedKey[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /** Names the keys whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/** The migration that was started, or of a dry run its plan. */
export interface CreatedMigration {
  readonly migration: KeyMigrationDescription | null;
  readonly plan: MigrationPlan | null;
}

/**
 * Starts to move keys to another algorithm, in the background: each gets a new version, and its versions before that still read what they
 * protected. Or says, as a dry run, what would be done with which key.
 *
 * Who starts it may rotate keys at that time. What is done later is done by that authority, even if the credential has ended since.
 *
 * @throws KmsError `BAD_REQUEST` for an algorithm that is not approved in FIPS mode; `FORBIDDEN` for one that the crypto policy refuses; `CONFLICT` while a migration of the tenant is running
 */
export async function createMigration(op: Operation, input: CreateMigrationInput): Promise<CreatedMigration> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.createMigration.permission);
  requirePermission(caller, OPERATIONS.upgradeKey.permission);
  checkIdempotency(op.idempotency);
  const order = {
    selector: checkedSelector(input.selector === undefined ? {} : input.selector),
    target: checkedTarget(input.target),
  };
  if (input.target !== QUANTUM_SAFE) requireCreatable(kms.settings, input.target, kms.clock);
  const { dryRun = false, limit, cursor } = input;
  checkBoolean('dryRun', dryRun);
  if (dryRun) return { migration: null, plan: await planPage(op, order, { limit, cursor }) };
  if (limit !== undefined) throw badRequest('limit', 'is for pages of a dry run');
  if (cursor !== undefined) throw badRequest('cursor', 'is for pages of a dry run');
  return { migration: await start(op, order), plan: null };
}

interface Order {
  readonly selector: MigrationSelector;
  readonly target: string;
}

async function start(op: Operation, order: Order): Promise<KeyMigrationDescription> {
  const { kms, caller } = op;
  const { tenantId } = caller;
  const authority = new MigrationAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  return kms.hierarchy.under(tenantId, (chain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'create-migration' }, async () => {
        const { keys } = await unit.tenants.usage(tenantId);
        const record = authority.sign({
          tenantId,
          migrationId: newId(),
          state: 'running',
          createdAt: unit.now,
          endedAt: null,
          order: { ...order, starter: starterFrom(caller) },
          progress: firstPass(keys),
          holder: null,
          dueAt: unit.now,
          revision: 1,
        });
        await unit.migrations.insert(record);
        await unit.migrations.removeEnded(BOUNDS.migration.kept);
        await op.evidence?.changed(unit, {
          eventType: OPERATIONS.createMigration.event,
          resource: { type: 'tenant', id: tenantId, version: null },
          before: null,
          after: { migrationId: record.migrationId, target: order.target, keys },
        });
        return describeMigration(record);
      }),
    ),
  );
}

function starterFrom({ subject, attributes }: Caller) {
  return { subject, ip: attributes.ip, mfa: attributes.mfa };
}

interface PageInput {
  readonly limit: number | undefined;
  readonly cursor: string | undefined;
}

async function planPage(op: Operation, order: Order, { limit, cursor }: PageInput): Promise<MigrationPlan> {
  const { kms, caller, evidence } = op;
  const { tenantId } = caller;
  evidence?.becomes(MIGRATION_PLANNED);
  const size = limit === undefined ? BOUNDS.pageItems.default : limit;
  checkInteger('limit', size, 1, BOUNDS.pageItems.maximum);
  const cursors = await listCursors<Position>(kms.hierarchy, tenantId, 'migration-plan', {
    target: order.target,
    selector: JSON.stringify(order.selector),
  });
  const after = cursor === undefined ? null : placeOf(cursors.open(cursor));
  const turns = new Turns(tenantId);
  const { page, authentic, ...rest } = await kms.hierarchy.under(tenantId, async (chain, isNewest) => {
    const found = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      unit.keys.list({ limit: size, after }),
    );
    return { page: found, ...(await authenticRecords(kms, chain, found.items, turns, isNewest)) };
  });
  const rules = { order, starter: caller, quotas: await kms.quotas.of(tenantId) };
  const items: PlannedKey[] = [];
  for (const key of authentic) {
    await turns.pause();
    if (!isSelected(order.selector, key)) continue;
    if (!isAllowed(caller, OPERATIONS.listKeys.permission, key, kms.clock())) continue;
    const plan = await planWithHsm(kms, key, rules);
    items.push({
      keyId: key.keyId,
      name: key.name,
      algorithm: key.algorithm,
      action: plan.action,
      target: plan.action === 'upgrade' ? plan.algorithm.id : null,
      refusal: plan.action === 'refuse' ? plan.reason : null,
    });
  }
  const last = page.items.at(-1);
  const nextCursor =
    page.more && last !== undefined ? cursors.seal({ createdAt: last.createdAt.getTime(), keyId: last.keyId }) : null;
  return { items, nextCursor, ...rest };
}

/** The last key of a page, in what a cursor holds. */
interface Position {
  readonly createdAt: number;
  readonly keyId: KeyId;
}

function placeOf({ createdAt, keyId }: Position): KeyQuery['after'] {
  return { createdAt: new Date(createdAt), keyId };
}

function checkedTarget(target: CreateMigrationInput['target']): string {
  if (target === QUANTUM_SAFE) return target;
  checkAlgorithm('target', target);
  if (target.importOnly) throw badRequest('target', 'is an algorithm of which keys are only imported');
  return target.id;
}

function checkedSelector(input: MigrationSelectorInput): MigrationSelector {
  if (typeof input !== 'object' || input === null) throw badRequest('selector', 'must be an object');
  const { algorithm, purpose, protectionLevel, name, keyIds, ...others } = input;
  for (const path of Object.keys(others)) throw badRequest(`selector.${path}`, 'is nothing that keys are selected by');
  if (algorithm !== undefined) checkAlgorithm('selector.algorithm', algorithm);
  if (purpose !== undefined) checkOneOf('selector.purpose', purpose, KEY_PURPOSES);
  if (protectionLevel !== undefined) checkOneOf('selector.protectionLevel', protectionLevel, PROTECTION_LEVELS);
  if (name !== undefined) checkLine('selector.name', name, BOUNDS.nameCharacters);
  if (keyIds !== undefined) checkKeyIds(keyIds);
  return {
    ...(algorithm === undefined ? {} : { algorithm: algorithm.id }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(protectionLevel === undefined ? {} : { protectionLevel }),
    ...(name === undefined ? {} : { name }),
    ...(keyIds === undefined ? {} : { keyIds: [...keyIds] }),
  };
}

function checkKeyIds(keyIds: readonly KeyId[]): void {
  const { keys: most } = BOUNDS.migration;
  const list: unknown = keyIds;
  if (!Array.isArray(list) || keyIds.length === 0 || keyIds.length > most)
    throw badRequest('selector.keyIds', `must be a list of 1 to ${most} keys`);
  for (const keyId of keyIds) checkId('selector.keyIds', keyId);
}
