import { type KeyId, KmsError } from '@qnsp/kms-core';
import type {
  DueKey,
  KeyCounts,
  KeyPage,
  KeyQuery,
  KeyRecord,
  KeyRecords,
  KnownUses,
  OperationLease,
  Room,
  VersionUse,
} from '@qnsp/kms-core/ports';
import { valuesOf } from '../driver/built-once.ts';
import { inOrder } from '../driver/in-order.ts';
import { keyVersions } from '../schema/key-versions.ts';
import { keys } from '../schema/keys.ts';
import { requireSeen, scopeValues } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { addOperations } from './operation-counts.ts';
import { childrenOf, countKeys, listKeys, lockDueKeys, scheduledRotations } from './key-lists.ts';
import { toKeyRow, toVersionRow, toWholeKey } from './key-rows.ts';
import { changeVersions, getKey, insertKey, insertVersion, lockKey, updateKey } from './key-statements.ts';
import { leasedOperations, leaseOperations } from './operation-leases.ts';
import type { SentLock } from './sent-lock.ts';
import { type VersionChange, versionChanges } from './version-changes.ts';
import { lastUses, recordUses } from './version-uses.ts';

export class DrizzleKeys implements KeyRecords {
  readonly #session: Session;
  /** The keys as this unit knows them to be stored: what an update compares with. */
  readonly #known = new Map<KeyId, KeyRecord>();
  /** The keys whose rows nobody else can change before this unit ends. */
  readonly #held = new Set<KeyId>();

  /** What was asked before the unit had begun, until it is used. */
  #sent: SentLock | undefined;

  constructor(session: Session, sent?: SentLock) {
    this.#session = session;
    this.#sent = sent;
  }

  async get(
    keyId: KeyId,
    { lock = false, seen }: { readonly lock?: boolean; readonly seen?: KeyRecord | undefined } = {},
  ): Promise<KeyRecord | undefined> {
    const key = lock ? await this.#lock(keyId, seen) : await this.#read(keyId);
    if (key !== undefined) this.#known.set(keyId, key);
    return key;
  }

  async insert(key: KeyRecord, { atMost }: Room = {}): Promise<void> {
    requireSeen(this.#session.scope, key.tenantId);
    const values = { ...valuesOf(keys, toKeyRow(key)), atMost: atMost ?? null };
    const inserted = await this.#session.run((db) => insertKey(db).execute(values));
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id of the key was used before.');
    await this.#insertVersions(key, key.versions);
    this.#remember(key);
  }

  async update(key: KeyRecord, expectedRevision: number): Promise<void> {
    requireSeen(this.#session.scope, key.tenantId);
    const known = this.#known.get(key.keyId) ?? (await this.get(key.keyId));
    if (known?.revision !== expectedRevision) throw changedMeanwhile();
    const { added, changed } = versionChanges(known, key);
    const held = this.#held.delete(key.keyId);
    const updated = this.#updateKey(key, expectedRevision);
    // No other unit gets ahead of one that holds the row: the versions need not wait for the answer. Otherwise they
    // must, since the work may continue after a conflict, and must have written nothing then.
    if (!held) await updated;
    // The version that was active makes room before the next one comes.
    await inOrder([updated, this.#changeVersions(key, changed), this.#insertVersions(key, added)]);
    this.#remember(key);
  }

  list(query: KeyQuery): Promise<KeyPage> {
    return listKeys(this.#session, query);
  }

  count(): Promise<KeyCounts> {
    return countKeys(this.#session);
  }

  addOperations(count: number): Promise<number> {
    return addOperations(this.#session, count);
  }

  children(keyId: KeyId): Promise<readonly KeyId[]> {
    return childrenOf(this.#session, keyId);
  }

  lockDue(due: 'rotation' | 'destruction', limit: number, after?: DueKey): Promise<readonly KeyRecord[]> {
    return lockDueKeys(this.#session, due, limit, after);
  }

  scheduledRotations(limit: number, before: Date | null): Promise<readonly KeyRecord[]> {
    return scheduledRotations(this.#session, limit, before);
  }

  leaseOperations(lease: OperationLease): Promise<number> {
    return leaseOperations(this.#session, lease);
  }

  recordUses(uses: readonly VersionUse[]): Promise<void> {
    return recordUses(this.#session, uses);
  }

  lastUses(keyIds: readonly KeyId[]): Promise<KnownUses> {
    return lastUses(this.#session, keyIds);
  }

  leasedOperations(keyIds: readonly KeyId[]): Promise<ReadonlyMap<KeyId, ReadonlyMap<number, number>>> {
    return leasedOperations(this.#session, keyIds);
  }

  async #lock(keyId: KeyId, seen: KeyRecord | undefined): Promise<KeyRecord | undefined> {
    const { scope } = this.#session;
    const values = { keyId, ...scopeValues(scope) };
    const sent = this.#sent?.keyId === keyId ? this.#sent : undefined;
    this.#sent = undefined;
    const locked = this.#session.run((db) => sent?.locked ?? lockKey(db, scope).execute(values));
    if (seen !== undefined) {
      const [row] = await locked;
      if (row === undefined) return undefined;
      this.#held.add(keyId);
      // The MAC is over all of a record, so this one is the stored one. If somebody has changed a version behind its back, what is
      // written next does not authenticate it either.
      if (row.revision === seen.revision && Buffer.compare(row.macTag, seen.mac.tag) === 0) return seen;
      return this.#read(keyId);
    }
    // Two statements: the versions that a statement reads beside a row that it had to wait for are from before the wait.
    // The second is sent before the first is answered, but the server begins it after the first has ended, and under READ
    // COMMITTED it takes its snapshot only then.
    const [rows, key] = await inOrder([locked, this.#read(keyId, sent?.read)]);
    if (rows.length === 0 || key === undefined) return undefined;
    this.#held.add(keyId);
    return key;
  }

  async #read(keyId: KeyId, sent?: SentLock['read']): Promise<KeyRecord | undefined> {
    const { scope } = this.#session;
    const [row] = await this.#session.run((db) => sent ?? getKey(db, scope).execute({ keyId, ...scopeValues(scope) }));
    return row === undefined ? undefined : toWholeKey(row);
  }

  async #updateKey(key: KeyRecord, expectedRevision: number): Promise<void> {
    const values = { ...valuesOf(keys, toKeyRow(key)), expectedRevision };
    const updated = await this.#session.run((db) => updateKey(db).execute(values));
    if (updated.length === 0) throw changedMeanwhile();
  }

  async #insertVersions(key: KeyRecord, versions: KeyRecord['versions']): Promise<void> {
    const rows = versions.map((version) => valuesOf(keyVersions, toVersionRow(key, version)));
    await inOrder(rows.map((row) => this.#session.run((db) => insertVersion(db).execute(row))));
  }

  async #changeVersions({ tenantId, keyId }: KeyRecord, changes: readonly VersionChange[]): Promise<void> {
    if (changes.length === 0) return;
    const values = { tenantId, keyId, changes: JSON.stringify(changes) };
    await this.#session.run((db) => changeVersions(db).execute(values));
  }

  /** Keeps what the unit wrote: until it ends, the row is its own. */
  #remember(key: KeyRecord): void {
    this.#sent = undefined;
    this.#known.set(key.keyId, key);
    this.#held.add(key.keyId);
  }
}

function changedMeanwhile(): KmsError {
  return new KmsError('CONFLICT', 'The key was changed by another call. Read it again.');
}
