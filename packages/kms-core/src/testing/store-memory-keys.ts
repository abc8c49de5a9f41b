import { KmsError } from '../errors/kms-error.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type {
  DueKey,
  KeyCounts,
  KeyPage,
  KeyQuery,
  KeyRecords,
  KnownUses,
  OperationLease,
  Room,
  VersionUse,
} from '../ports/store.ts';
import { checkChange, checkKey } from '../ports/store-invariants.ts';
import {
  copyOf,
  type MemoryUnit,
  requireActiveTenant,
  requireLiveMasterKey,
  requireRoomFor,
  requireSeen,
  requireSystem,
  sees,
} from './store-memory-tables.ts';

export class MemoryKeys implements KeyRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async get(keyId: KeyId): Promise<KeyRecord | undefined> {
    const key = this.#unit.tables().keys.get(keyId);
    return key === undefined || !sees(this.#unit.scope, key.tenantId) ? undefined : copyOf(key);
  }

  async insert(key: KeyRecord, room: Room = {}): Promise<void> {
    requireSeen(this.#unit.scope, key.tenantId);
    const { keys } = this.#unit.tables();
    if (keys.has(key.keyId)) throw new KmsError('CONFLICT', 'The id of the key was used before.');
    this.#check(key);
    const used = [...keys.values()].filter(({ tenantId, state }) => tenantId === key.tenantId && state !== 'destroyed');
    requireRoomFor(this.#unit, 'keys', used.length, room);
    keys.set(key.keyId, copyOf(key));
  }

  async update(key: KeyRecord, expectedRevision: number): Promise<void> {
    requireSeen(this.#unit.scope, key.tenantId);
    const { keys } = this.#unit.tables();
    const current = keys.get(key.keyId);
    if (current?.tenantId !== key.tenantId || current.revision !== expectedRevision) {
      throw new KmsError('CONFLICT', 'The key was changed by another call. Read it again.');
    }
    this.#check(key, current);
    keys.set(key.keyId, copyOf(key));
  }

  async list(query: KeyQuery): Promise<KeyPage> {
    const { after } = query;
    const found = this.#visible()
      .filter((key) => query.state === undefined || key.state === query.state)
      .filter((key) => query.algorithm === undefined || key.algorithm === query.algorithm)
      .filter((key) => query.purpose === undefined || key.purpose === query.purpose)
      .filter((key) => query.name === undefined || key.name === query.name)
      .sort(newestFirst)
      .filter((key) => after === null || newestFirst(after, key) < 0);
    return { items: found.slice(0, query.limit).map(copyOf), more: found.length > query.limit };
  }

  async count(): Promise<KeyCounts> {
    const byState: Record<string, number> = {};
    const byAlgorithm: Record<string, number> = {};
    for (const { state, algorithm } of this.#visible()) {
      byState[state] = (byState[state] ?? 0) + 1;
      byAlgorithm[algorithm] = (byAlgorithm[algorithm] ?? 0) + 1;
    }
    const { operations } = this.#unit.tables();
    const own = [...operations].filter(([counter]) => counter.endsWith(this.#month()) && this.#counts(counter));
    return { byState, byAlgorithm, operationsThisMonth: own.reduce((sum, [, count]) => sum + count, 0) };
  }

  async addOperations(count: number): Promise<number> {
    const { scope } = this.#unit;
    if (scope.kind !== 'tenant') throw new KmsError('INTERNAL_ERROR', 'Operations are counted for one tenant.');
    const { operations } = this.#unit.tables();
    const counter = `${scope.tenantId}:${this.#month()}`;
    const total = (operations.get(counter) ?? 0) + count;
    operations.set(counter, total);
    return total;
  }

  async children(keyId: KeyId): Promise<readonly KeyId[]> {
    const found = this.#visible().filter((key) => key.parentKeyId === keyId);
    return found.map((key) => key.keyId).sort();
  }

  async lockDue(due: 'rotation' | 'destruction', limit: number, after?: DueKey): Promise<readonly KeyRecord[]> {
    requireSystem(this.#unit.scope);
    const { tenants } = this.#unit.tables();
    const instant = due === 'rotation' ? rotationInstant : destructionInstant;
    return this.#visible()
      .filter((key) => instant(key) <= this.#unit.now.getTime())
      .filter((key) => tenants.get(key.tenantId)?.state === 'active')
      .map((key) => ({ key, keyId: key.keyId, at: instant(key) }))
      .sort(longestDueFirst)
      .filter(
        (place) => after === undefined || longestDueFirst(place, { at: after.at.getTime(), keyId: after.keyId }) > 0,
      )
      .slice(0, limit)
      .map(({ key }) => key)
      .map(copyOf);
  }

  async scheduledRotations(limit: number, before: Date | null): Promise<readonly KeyRecord[]> {
    return this.#visible()
      .filter((key) => rotationInstant(key) < (before?.getTime() ?? Infinity))
      .sort((a, b) => rotationInstant(a) - rotationInstant(b) || (a.keyId < b.keyId ? -1 : 1))
      .slice(0, limit)
      .map(copyOf);
  }

  async leaseOperations(lease: OperationLease): Promise<number> {
    const { keys, granted } = this.#unit.tables();
    const key = keys.get(lease.keyId);
    if (key === undefined || !sees(this.#unit.scope, key.tenantId)) return 0;
    if (lease.version > 0 && !key.versions.some(({ version }) => version === lease.version))
      throw new KmsError('INTERNAL_ERROR', 'The version of the budget does not exist.');
    const counter = `${lease.keyId}:${lease.version}`;
    const before = granted.get(counter) ?? 0;
    const now = Math.min(lease.count, Math.max(0, lease.budget - before));
    granted.set(counter, before + now);
    return now;
  }

  async recordUses(uses: readonly VersionUse[]): Promise<void> {
    requireSystem(this.#unit.scope);
    const { keys, versionUses } = this.#unit.tables();
    for (const use of uses) {
      if (!keys.get(use.keyId)?.versions.some(({ version }) => version === use.version)) continue;
      const name = `${use.keyId}:${use.version}`;
      const held = versionUses.get(name);
      const protectedAt = laterOf(held?.protectedAt, use.protectedAt);
      versionUses.set(name, { ...use, protectedAt, processedAt: laterOf(held?.processedAt, use.processedAt) });
    }
  }

  async lastUses(keyIds: readonly KeyId[]): Promise<KnownUses> {
    const { keys, versionUses } = this.#unit.tables();
    const asked = new Set(keyIds);
    const versions = [...versionUses.values()]
      .filter(({ keyId }) => asked.has(keyId) && sees(this.#unit.scope, keys.get(keyId)?.tenantId ?? ''))
      .sort((a, b) => a.version - b.version);
    return { since: new Date(0), versions: versions.map(copyOf) };
  }

  async leasedOperations(keyIds: readonly KeyId[]): Promise<ReadonlyMap<KeyId, ReadonlyMap<number, number>>> {
    const { granted } = this.#unit.tables();
    const asked = new Set(keyIds);
    const leased = new Map<KeyId, Map<number, number>>();
    for (const { keyId, versions } of this.#visible()) {
      if (!asked.has(keyId)) continue;
      const counters = [0, ...versions.map(({ version }) => version)].flatMap((version) => {
        const count = granted.get(`${keyId}:${version}`);
        return count === undefined ? [] : [[version, count] as const];
      });
      if (counters.length > 0) leased.set(keyId, new Map(counters));
    }
    return leased;
  }

  #month(): string {
    return this.#unit.now.toISOString().slice(0, 7);
  }

  #counts(counter: string): boolean {
    const [tenantId = ''] = counter.split(':');
    return sees(this.#unit.scope, tenantId);
  }

  #visible(): KeyRecord[] {
    return [...this.#unit.tables().keys.values()].filter((key) => sees(this.#unit.scope, key.tenantId));
  }

  #check(key: KeyRecord, current?: KeyRecord): void {
    try {
      this.#checkOwner(key);
      checkKey(key);
      if (current !== undefined) checkChange(current, key);
    } catch (error) {
      if (!(KmsError.is(error) && error.code === 'CONFLICT')) this.#unit.fail(error);
      throw error;
    }
  }

  #checkOwner(key: KeyRecord): void {
    const tables = this.#unit.tables();
    const { keys } = tables;
    requireActiveTenant(tables, key.tenantId);
    for (const tmkVersion of masterKeysOf(key)) requireLiveMasterKey(tables, key.tenantId, tmkVersion);
    if (key.parentKeyId !== null && keys.get(key.parentKeyId)?.tenantId !== key.tenantId) {
      throw new KmsError('INTERNAL_ERROR', 'The parent of the key does not exist.');
    }
  }
}

/** The later one of two times; of a use that was not written down, the other one. */
function laterOf(held: Date | null | undefined, written: Date | null): Date | null {
  if (!held || !written) return held ?? written;
  return held < written ? written : held;
}

/** The versions of the master key that a key names. */
export function masterKeysOf({ mac, versions }: KeyRecord): readonly number[] {
  return [
    mac.tmkVersion,
    ...versions.flatMap(({ material }) => (material.kind === 'sealed' ? material.tmkVersion : [])),
  ];
}

/** When the key rotates automatically, or never. */
function rotationInstant({ state, rotation }: KeyRecord): number {
  return state === 'active' && rotation.auto ? (rotation.nextRotationAt?.getTime() ?? Infinity) : Infinity;
}

function destructionInstant({ state, destroyAt }: KeyRecord): number {
  return state === 'destroyed' ? Infinity : (destroyAt?.getTime() ?? Infinity);
}

interface DuePosition {
  readonly at: number;
  readonly keyId: KeyId;
}

function longestDueFirst(a: DuePosition, b: DuePosition): number {
  return a.at - b.at || (a.keyId === b.keyId ? 0 : a.keyId < b.keyId ? -1 : 1);
}

interface Position {
  readonly createdAt: Date;
  readonly keyId: KeyId;
}

function newestFirst(a: Position, b: Position): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || (a.keyId === b.keyId ? 0 : a.keyId < b.keyId ? 1 : -1);
}
