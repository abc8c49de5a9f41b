import { type AuditEvent, KmsError, type TenantId } from '@qnsp/kms-core';
import type { EvidenceStore, EvidenceTrail } from '@qnsp/kms-core/ports';
import { hasShare } from './fair-share.ts';

/** How many events may wait, and how they are written together. */
export interface GroupCommitOptions {
  /** How many writes run concurrently while they are fast; default: 2. */
  readonly fewWrites?: number;
  /**
   * How long an event waits for one of these to end, in milliseconds; default: 20. Then it is written alongside them.
   */
  readonly patienceMs?: number;
  /** How many writes run at a time at most; default: 6. */
  readonly maxWrites?: number;
  /** How many events are written at a time; default: 256. */
  readonly maxBatch?: number;
  /** How many events may wait in memory; default: 10,000. */
  readonly maxWaiting?: number;
  /** How many events may wait in the store to be sealed and delivered. */
  readonly maxBacklog: number;
}

/** Events that are written together, and what becomes of them. */
interface Group {
  readonly events: AuditEvent[];
  readonly written: PromiseWithResolvers<void>;
}

/**
 * Makes events durable, those that arrive at about the same time in one write. A write takes about as long for one
 * event as for a hundred: a single event is written at once, and what arrives while writes run goes with the next one.
 * An event is never dropped: what cannot be written, or accepted, is an error for its waiter.
 */
export class GroupCommit implements EvidenceTrail {
  readonly #store: Pick<EvidenceStore, 'append'>;
  readonly #options: Required<GroupCommitOptions>;
  /** Events that are being written or wait to be. */
  #waiting = 0;
  /** The same by tenant. */
  readonly #waitingOf = new Map<TenantId, number>();
  #backlog = 0;
  #backlogOf: ReadonlyMap<TenantId, number> = new Map();
  /** What gathers. */
  #group: Group | undefined;
  #gathering: NodeJS.Immediate | undefined;
  /** Runs while what gathers waits for a write to end. */
  #patience: NodeJS.Timeout | undefined;
  /** What gathered, and waits because too much is being written. */
  readonly #ready: Group[] = [];
  readonly #writing = new Set<Group>();

  constructor(store: Pick<EvidenceStore, 'append'>, options: GroupCommitOptions) {
    this.#store = store;
    this.#options = { fewWrites: 2, patienceMs: 20, maxWrites: 6, maxBatch: 256, maxWaiting: 10_000, ...options };
  }

  /** How many events may wait in the store. */
  get maxBacklog(): number {
    return this.#options.maxBacklog;
  }

  requireRoom(tenantId: TenantId): void {
    const { maxWaiting, maxBacklog } = this.#options;
    if (this.#waiting >= maxWaiting || hasShare(this.#waitingOf.get(tenantId) ?? 0, this.#waiting, maxWaiting))
      throw unavailable('Too many events wait to be written.');
    if (this.#backlog >= maxBacklog)
      throw unavailable(`${this.#backlog} events wait for the audit service, and no more are accepted.`);
    const own = this.#backlogOf.get(tenantId) ?? 0;
    if (hasShare(own, this.#backlog, maxBacklog))
      throw unavailable(`${own} events of the tenant wait for the audit service, and no more are accepted from it.`);
  }

  record(event: AuditEvent): Promise<void> {
    if (this.#waiting >= this.#options.maxWaiting)
      return Promise.reject(unavailable('Too many events wait to be written.'));
    this.#waiting += 1;
    this.#waitingOf.set(event.tenantId, (this.#waitingOf.get(event.tenantId) ?? 0) + 1);
    const group = (this.#group ??= this.#begin());
    group.events.push(event);
    if (group.events.length >= this.#options.maxBatch) this.#flush();
    return group.written.promise;
  }

  /** How many events wait in the store, where that matters by tenant, too; {@link requireRoom} goes by it. */
  setBacklog(events: number, byTenant: ReadonlyMap<TenantId, number> = new Map()): void {
    this.#backlog = events;
    this.#backlogOf = byTenant;
  }

  /** Resolves when everything that was recorded is written, or has failed. */
  async close(): Promise<void> {
    this.#flush();
    await Promise.allSettled([...this.#ready, ...this.#writing].map(({ written }) => written.promise));
  }

  #begin(): Group {
    // With what else is read from sockets in this turn of the event loop.
    this.#gathering = setImmediate(() => this.#flushOrWait());
    return { events: [], written: Promise.withResolvers() };
  }

  #flushOrWait(): void {
    if (this.#writing.size < this.#options.fewWrites) this.#flush();
    else this.#patience = setTimeout(() => this.#flush(), this.#options.patienceMs);
  }

  #flush(): void {
    clearImmediate(this.#gathering);
    clearTimeout(this.#patience);
    this.#patience = undefined;
    if (this.#group === undefined) return;
    this.#ready.push(this.#group);
    this.#group = undefined;
    this.#writeReady();
  }

  #writeReady(): void {
    while (this.#writing.size < this.#options.maxWrites) {
      const group = this.#ready.shift();
      if (group === undefined) return;
      this.#writing.add(group);
      void this.#write(group);
    }
  }

  /** Never rejects: each event has a waiter for its outcome. */
  async #write(group: Group): Promise<void> {
    const { events, written } = group;
    try {
      await this.#store.append(events);
      written.resolve();
    } catch (cause) {
      written.reject(unavailable('The store did not accept the evidence.', cause));
    } finally {
      this.#waiting -= events.length;
      for (const { tenantId } of events) this.#release(tenantId);
      this.#writing.delete(group);
      this.#writeReady();
      if (this.#patience !== undefined && this.#writing.size < this.#options.fewWrites) this.#flush();
    }
  }

  #release(tenantId: TenantId): void {
    const left = (this.#waitingOf.get(tenantId) ?? 0) - 1;
    if (left > 0) this.#waitingOf.set(tenantId, left);
    else this.#waitingOf.delete(tenantId);
  }
}

function unavailable(message: string, cause?: unknown): KmsError {
  return new KmsError('AUDIT_UNAVAILABLE', message, {
    retryAfterSeconds: 1,
    ...(cause === undefined ? {} : { cause }),
  });
}
