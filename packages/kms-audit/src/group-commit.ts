import { type AuditEvent, type EvidenceStore, type EvidenceTrail, KmsError } from '@qnsp/kms-core';

export interface GroupCommitOptions {
  /** How long an event waits for others, in milliseconds; 2 without it. */
  readonly waitMs?: number;
  /** How many events are written at a time; 256 without it. */
  readonly maxBatch?: number;
  /** How many events may wait in memory; 10,000 without it. */
  readonly maxWaiting?: number;
  /** How many events may wait in the store to be sealed and delivered. */
  readonly maxBacklog: number;
}

interface Waiting {
  readonly event: AuditEvent;
  readonly resolve: () => void;
  readonly reject: (error: KmsError) => void;
}

/**
 * Makes events durable, those that come at about the same time in one write. An event is never dropped: what can not be
 * written, or taken, is an error for whoever waits for it.
 */
export class GroupCommit implements EvidenceTrail {
  readonly #store: Pick<EvidenceStore, 'append'>;
  readonly #options: Required<GroupCommitOptions>;
  #queue: Waiting[] = [];
  /** Events that are being written or wait to be. */
  #waiting = 0;
  #backlog = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(store: Pick<EvidenceStore, 'append'>, options: GroupCommitOptions) {
    this.#store = store;
    this.#options = { waitMs: 2, maxBatch: 256, maxWaiting: 10_000, ...options };
  }

  /** How many events may wait in the store. */
  get maxBacklog(): number {
    return this.#options.maxBacklog;
  }

  requireRoom(): void {
    const { maxWaiting, maxBacklog } = this.#options;
    if (this.#waiting >= maxWaiting) throw unavailable('Too many events wait to be written.');
    if (this.#backlog >= maxBacklog)
      throw unavailable(`${this.#backlog} events wait for the audit service, and no more are taken.`);
  }

  record(event: AuditEvent): Promise<void> {
    if (this.#waiting >= this.#options.maxWaiting)
      return Promise.reject(unavailable('Too many events wait to be written.'));
    this.#waiting += 1;
    return new Promise((resolve, reject) => {
      this.#queue.push({ event, resolve, reject });
      if (this.#queue.length >= this.#options.maxBatch) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), this.#options.waitMs);
    });
  }

  /** How many events wait in the store; {@link requireRoom} goes by it. */
  setBacklog(events: number): void {
    this.#backlog = events;
  }

  /** Ends when everything that was recorded is written, or has failed. */
  async close(): Promise<void> {
    this.#flush();
    await this.#writing;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#queue;
    if (batch.length === 0) return;
    this.#queue = [];
    this.#writing = Promise.all([this.#writing, this.#write(batch)]).then(() => undefined);
  }

  /** Never rejects: each event has somebody who waits for its outcome. */
  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.#store.append(batch.map(({ event }) => event));
      for (const { resolve } of batch) resolve();
    } catch (cause) {
      for (const { reject } of batch) reject(unavailable('The store did not take the evidence.', cause));
    } finally {
      this.#waiting -= batch.length;
    }
  }
}

function unavailable(message: string, cause?: unknown): KmsError {
  return new KmsError('AUDIT_UNAVAILABLE', message, {
    retryAfterSeconds: 1,
    ...(cause === undefined ? {} : { cause }),
  });
}
