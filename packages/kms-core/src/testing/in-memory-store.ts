import { KmsError } from '../errors/kms-error.ts';
import type { AuditEvent } from '../model/audit-event.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import { InProcessFeed } from '../ports/in-process-feed.ts';
import type { Store, StoreScope, UnitOfWork } from '../ports/store.ts';
import { MemoryApprovals } from './store-memory-approvals.ts';
import { MemoryEvidence } from './store-memory-evidence.ts';
import { MemoryIdentities } from './store-memory-identities.ts';
import { MemoryIdempotency } from './store-memory-idempotency.ts';
import { MemoryKeys } from './store-memory-keys.ts';
import { MemoryMigrations } from './store-memory-migrations.ts';
import { changesBetween, copyOf, draftOf, emptyTables, type MemoryTables } from './store-memory-tables.ts';
import { MemoryResidents } from './store-memory-residents.ts';
import { MemorySeals } from './store-memory-seals.ts';
import { MemoryTenants } from './store-memory-tenants.ts';
import { MemoryTokens, tokenByHash } from './store-memory-tokens.ts';

/** How a store in memory behaves. */
export interface InMemoryStoreOptions {
  /** The clock of the units of work; default: that of the system. */
  readonly now?: () => Date;
}

/**
 * A store for tests that keeps the whole contract in memory. Units of work run one after another, each on a draft that
 * is kept or dropped as a whole; a unit that starts another one and waits for it waits forever.
 *
 * @example
 * import { inMemoryStore } from '@qnsp/kms-core/testing';
 * const store = inMemoryStore({ now: () => new Date('2026-01-01T00:00:00Z') });
 * const now = await store.transact({ kind: 'system' }, async (unit) => unit.now);
 * console.log(now.toISOString()); // 2026-01-01T00:00:00.000Z
 */
export function inMemoryStore(options: InMemoryStoreOptions = {}): InMemoryStore {
  return new InMemoryStore(options.now ?? (() => new Date()));
}

export class InMemoryStore implements Store {
  readonly changes = new InProcessFeed();
  readonly #clock: () => Date;
  #tables = emptyTables();
  /** Settles when the last unit in the queue has ended; never rejects. */
  #idle: Promise<unknown> = Promise.resolve();

  constructor(clock: () => Date) {
    this.#clock = clock;
  }

  transact<T>(scope: StoreScope, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const run = this.#idle.then(() => this.#run(scope, work));
    this.#idle = run.catch(() => undefined);
    return run;
  }

  async readKey(tenantId: TenantId, keyId: KeyId): Promise<KeyRecord | undefined> {
    const key = this.#tables.keys.get(keyId);
    return key?.tenantId === tenantId ? copyOf(key) : undefined;
  }

  async findToken(hash: Uint8Array): Promise<ApiTokenRecord | undefined> {
    return copyOf(tokenByHash(this.#tables, hash));
  }

  /** The evidence that units of work left, oldest first. */
  evidence(): readonly AuditEvent[] {
    return this.#tables.evidence;
  }

  async ping(): Promise<void> {}

  async #run<T>(scope: StoreScope, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const draft = draftOf(this.#tables);
    let ended = false;
    const tables = (): MemoryTables => {
      if (ended) throw new KmsError('INTERNAL_ERROR', 'The unit of work has ended.');
      return draft;
    };
    let failure: unknown;
    const fail = (error: unknown): void => {
      failure ??= error;
    };
    const unit = { scope, now: new Date(this.#clock()), tables, fail };
    try {
      const answer = await work({
        now: unit.now,
        keys: new MemoryKeys(unit),
        tenants: new MemoryTenants(unit),
        tokens: new MemoryTokens(unit),
        identities: new MemoryIdentities(unit),
        idempotency: new MemoryIdempotency(unit),
        evidence: new MemoryEvidence(unit),
        residents: new MemoryResidents(unit),
        seals: new MemorySeals(unit),
        migrations: new MemoryMigrations(unit),
        approvals: new MemoryApprovals(unit),
      });
      if (failure !== undefined)
        throw new KmsError('INTERNAL_ERROR', 'A failed unit of work cannot be committed.', { cause: failure });
      const before = this.#tables;
      this.#tables = draft;
      for (const change of changesBetween(before, draft)) this.changes.deliver(change);
      return answer;
    } finally {
      ended = true;
    }
  }
}
