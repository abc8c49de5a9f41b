import { KmsError } from '../errors/kms-error.ts';
import type { CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { KeyRecord } from '../model/key.ts';
import type { Store } from '../ports/store.ts';
import type { VersionCipher } from '../model/version-cipher.ts';
import type { LoadedVersion } from './loaded-key.ts';

/** The operations that make a ciphertext, and so use up a nonce. */
const SEALING: ReadonlySet<CryptoOperation> = new Set<CryptoOperation>(['encrypt', 'reencrypt', 'wrap', 'data-key']);
const LARGEST_LEASE = 2 ** 20;
/** The first lease is small and each one doubles: a node that stops, or forgets a lease, strands no more than it used. */
const FIRST_LEASE = 256;
/** A lease is at most this part of the budget. */
const LEASE_DIVISOR = 1024;

interface LocalLease {
  remaining: number;
  /** The size of the next lease, before the limits. */
  next: number;
  /** The lease that is being drawn, with the number of operations that it was granted. */
  renewal: Promise<number> | undefined;
}

/** A version, as far as it says what may be done with it. */
export type SpentVersion = Pick<LoadedVersion, 'record' | 'cipher'>;

export interface BudgetOptions {
  /** Lowers the message budget of the algorithms, for tests of its end. */
  readonly messageBudget?: number;
  /** How many leases are held; the least recently used one is forgotten first. Default: 100,000. */
  readonly maxLeases?: number;
}

/**
 * Counts operations against the budgets of keys: `maxOperations` of a key, and the number of messages that a version of
 * an algorithm with random 96-bit nonces may protect (SP 800-38D, section 8.3). A node leases a block of operations from
 * the store, which hands out each operation once, and counts the block down in memory.
 */
export class OperationBudgets {
  readonly #store: Store;
  readonly #messageBudget: number | undefined;
  readonly #maxLeases: number;
  readonly #leases = new Map<string, LocalLease>();

  constructor(store: Store, options: BudgetOptions = {}) {
    this.#store = store;
    this.#messageBudget = options.messageBudget;
    this.#maxLeases = options.maxLeases ?? 100_000;
  }

  /**
   * Takes one operation from every budget that it counts against: without a promise when leases for all of them are held,
   * otherwise after however long the store takes.
   *
   * @throws KmsError `KEY_USAGE_EXCEEDED` when one of them is spent.
   */
  take(key: KeyRecord, { record, cipher }: SpentVersion, operation: CryptoOperation): MaybePromise<void> {
    const { maxOperations } = key.usageLimits;
    if (maxOperations === null && cipher.messageBudget === undefined) return undefined;
    const { version } = record;
    const messageBudget = boundOf(cipher, operation);
    const messages = messageBudget === undefined ? null : Math.min(messageBudget, this.#messageBudget ?? messageBudget);
    if (maxOperations === null && messages === null) return undefined;
    const held = [
      ...(messages === null ? [] : [this.#lease(key, version, messages)]),
      ...(maxOperations === null ? [] : [this.#lease(key, 0, maxOperations)]),
    ];
    if (held.every((lease) => lease.remaining > 0)) {
      for (const lease of held) lease.remaining -= 1;
      return undefined;
    }
    return this.#takeAll(key, version, maxOperations, messages);
  }

  /** Whether an operation counts against no budget, so that there is nothing to take. */
  isUnbounded(key: KeyRecord, { cipher }: SpentVersion, operation: CryptoOperation): boolean {
    return key.usageLimits.maxOperations === null && boundOf(cipher, operation) === undefined;
  }

  async #takeAll(
    key: KeyRecord,
    version: number,
    maxOperations: number | null,
    messages: number | null,
  ): Promise<void> {
    if (messages !== null && !(await this.#takeOne(key, version, messages))) {
      throw new KmsError(
        'KEY_USAGE_EXCEEDED',
        `Version ${version} of the key has protected as many messages as its algorithm allows: rotate the key.`,
        {
          details: { limit: messages, version },
        },
      );
    }
    if (maxOperations !== null && !(await this.#takeOne(key, 0, maxOperations))) {
      throw new KmsError('KEY_USAGE_EXCEEDED', 'The key has performed as many operations as its limit allows.', {
        details: { maxOperations },
      });
    }
  }

  async #takeOne(key: KeyRecord, version: number, budget: number): Promise<boolean> {
    const lease = this.#lease(key, version, budget);
    while (lease.remaining === 0) {
      lease.renewal ??= this.#renew(lease, key, version, budget);
      if ((await lease.renewal) === 0) return false;
    }
    lease.remaining -= 1;
    return true;
  }

  #lease(key: KeyRecord, version: number, budget: number): LocalLease {
    const name = `${key.keyId}:${version}:${budget}`;
    const held = this.#leases.get(name);
    const lease = held ?? { remaining: 0, next: FIRST_LEASE, renewal: undefined };
    // The order of insertion is the order of use.
    this.#leases.delete(name);
    this.#leases.set(name, lease);
    if (this.#leases.size > this.#maxLeases) {
      const [oldest] = this.#leases.keys();
      if (oldest !== undefined) this.#leases.delete(oldest);
    }
    return lease;
  }

  async #renew(lease: LocalLease, key: KeyRecord, version: number, budget: number): Promise<number> {
    const count = Math.max(1, Math.min(lease.next, LARGEST_LEASE, Math.floor(budget / LEASE_DIVISOR)));
    lease.next = count * 2;
    try {
      const granted = await this.#store.transact({ kind: 'tenant', tenantId: key.tenantId }, (unit) =>
        unit.keys.leaseOperations({ keyId: key.keyId, version, budget, count }),
      );
      lease.remaining += granted;
      return granted;
    } finally {
      lease.renewal = undefined;
    }
  }
}

/** How many messages an operation with this cipher counts against, where there is a bound. */
function boundOf(cipher: VersionCipher, operation: CryptoOperation): number | undefined {
  return SEALING.has(operation) ? cipher.messageBudget : undefined;
}
