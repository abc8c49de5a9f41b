import type { AcknowledgedCommits } from './acknowledged-commits.ts';
import type { ChangeFeed } from './change-feed.ts';
import type { DatabaseCopies } from './database-copies.ts';
import type { EvidenceStore } from './evidence-store.ts';
import type { FleetNodes } from './fleet-nodes.ts';
import type { StoreClock } from './store-clock.ts';
import type { Store } from './store.ts';

/** What an adapter opened on one database. */
export interface StorageParts {
  /** The records. */
  readonly store: Store;
  /** What changes in that store, no matter who changes it. */
  readonly changes: ChangeFeed;
  /** The evidence of what was done with that store. */
  readonly evidence: EvidenceStore;
  /** The clock of the database; absent where that is the clock of this machine. */
  readonly clock?: StoreClock | undefined;
  /** The processes that work on the database; absent where one process has it for itself. */
  readonly fleet?: FleetNodes | undefined;
  /** Tells whether the database is a restored older copy; absent where that cannot be told. */
  readonly copies?: DatabaseCopies | undefined;
  /** What was acknowledged to this process; absent where a database is never older than it was. */
  readonly commits?: AcknowledgedCommits | undefined;
  /** Closes all of it. */
  close(): Promise<void>;
}

const WHOLE: unique symbol = Symbol.for('@qnsp/kms-core/storage');

/**
 * A database with all that belongs to it, as an adapter opened it. It is one object, so that a store cannot be used with
 * the change feed of another one: what takes a `Storage` does not take a copy of it with a part exchanged.
 *
 * @example
 * import { Storage } from '@qnsp/kms-core';
 * import { InMemoryEvidence, inMemoryStore } from '@qnsp/kms-core/testing';
 * const store = inMemoryStore();
 * const evidence = new InMemoryEvidence(store, Date.now);
 * const storage = new Storage({ store, changes: store.changes, evidence, close: async () => {} });
 * console.log(Storage.isWhole(storage), Storage.isWhole({ ...storage })); // true false
 */
export class Storage<Parts extends StorageParts = StorageParts> {
  readonly store: Parts['store'];
  readonly changes: Parts['changes'];
  readonly evidence: Parts['evidence'];
  readonly clock: Parts['clock'];
  readonly fleet: Parts['fleet'];
  readonly copies: Parts['copies'];
  readonly commits: Parts['commits'];
  /** Closes all of it, once. */
  readonly close: () => Promise<void>;

  constructor(parts: Parts) {
    this.store = parts.store;
    this.changes = parts.changes;
    this.evidence = parts.evidence;
    this.clock = parts.clock;
    this.fleet = parts.fleet;
    this.copies = parts.copies;
    this.commits = parts.commits;
    let closed: Promise<void> | undefined;
    this.close = () => (closed ??= parts.close());
  }

  /** Whether something is a storage and whole; also says so of one that another copy of this package made. */
  static isWhole(value: unknown): value is Storage {
    return typeof value === 'object' && value !== null && WHOLE in value;
  }

  // On the prototype, and an accessor: a spread leaves it out, for the compiler as well.
  get [WHOLE](): true {
    return true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
