import type { RedisCache } from '@qnsp/kms-cache';
import {
  commitsName,
  type MasterKeyChain,
  openCommits,
  type RememberedCommits,
  sealCommits,
} from '@qnsp/kms-core/internal';
import { type CommitMemory, type KnownCommits, REMEMBERED_MS } from '@qnsp/kms-core/ports';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../http/logger.ts';
import type { CommitFiles } from './commit-files.ts';

/** What is learnt within this time is written together. */
const GATHER_MS = 50;
const KEPT_SECONDS = REMEMBERED_MS / 1000;
/** How long a Redis that is just being connected to is waited for at the start. */
const PATIENCE_MS = 2500;
const PAUSE_MS = 50;

export interface OutsideMemoryOptions {
  /** The service's own master key. */
  readonly chain: MasterKeyChain;
  readonly redis: RedisCache | undefined;
  readonly files: CommitFiles | undefined;
  readonly log: Logger;
}

/**
 * Remembers outside the database what processes were told of as committed: in Redis and in a directory, where there are
 * such. What is there is sealed, so that nobody who can write there can make the service mistake its database for an
 * older one.
 */
export class OutsideMemory implements CommitMemory {
  readonly #options: OutsideMemoryOptions;
  #placeNoticedAt = new Date(0);
  #latest: KnownCommits | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: OutsideMemoryOptions) {
    this.#options = options;
  }

  /** From now on what is kept and recalled is about the place of the database that was noticed then. */
  concerns(placeNoticedAt: Date): void {
    this.#placeNoticedAt = placeNoticedAt;
  }

  get placeNoticedAt(): Date {
    return this.#placeNoticedAt;
  }

  keep(known: KnownCommits): void {
    const { redis, files } = this.#options;
    if (redis === undefined && files === undefined) return;
    this.#latest = known;
    this.#writing ??= this.#write();
  }

  async recall(holders: readonly string[]): Promise<readonly KnownCommits[]> {
    const { redis } = this.#options;
    if (redis === undefined) return [];
    const found = await Promise.all(
      holders.map(async (holder) => this.#open(holder, await redis.get(commitsName(holder)))),
    );
    return found.flat();
  }

  /** What is remembered at the start of a process, when there is time to wait for what remembers. */
  async recallPatiently(holders: readonly string[]): Promise<readonly KnownCommits[]> {
    const { redis, files } = this.#options;
    const fromFiles = (files?.holders() ?? []).map(async (holder) => this.#open(holder, await files?.read(holder)));
    const end = performance.now() + PATIENCE_MS;
    const found = (await Promise.all(fromFiles)).flat();
    // One after another: the failure of one read must not be taken for that of another.
    if (redis !== undefined)
      for (const holder of holders) found.push(...this.#open(holder, await getBefore(redis, commitsName(holder), end)));
    return found;
  }

  /** Ends when everything that was to be kept is written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  #open(holder: string, sealed: Uint8Array | undefined): readonly KnownCommits[] {
    if (sealed === undefined) return [];
    let remembered: RememberedCommits;
    try {
      remembered = openCommits(this.#options.chain, holder, sealed);
    } catch (error) {
      // Somebody who forged it could otherwise stop the service, and somebody who damages it could just as well remove
      // it.
      this.#options.log.error({ holder, err: error }, 'the record of commits was not written by this service');
      return [];
    }
    return remembered.placeNoticedAt === this.#placeNoticedAt.toISOString() ? [remembered] : [];
  }

  async #write(): Promise<void> {
    const { chain, redis, files, log } = this.#options;
    while (this.#latest !== undefined) {
      await sleep(GATHER_MS, undefined, { ref: false });
      const known: KnownCommits = this.#latest;
      this.#latest = undefined;
      const sealed = sealCommits(chain, { ...known, placeNoticedAt: this.#placeNoticedAt.toISOString() });
      // While Redis is left alone, it takes nothing.
      if (redis !== undefined) await untilTried(redis);
      redis?.put(commitsName(known.holder), sealed, KEPT_SECONDS);
      try {
        await files?.write(known.holder, sealed);
      } catch (error) {
        // A change is not refused for it: it is a second look, and the memory of this process is another.
        log.error({ err: error }, 'cannot write to KMS_STATE_DIR; commits are not remembered there');
      }
    }
    this.#writing = undefined;
  }
}

/** Ends when Redis is in use again, or has not been for too long. */
async function untilTried(redis: RedisCache): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (performance.now() < end) {
    if (!redis.isOpen) return;
    await sleep(PAUSE_MS, undefined, { ref: false });
  }
}

/** Reads until Redis has answered, which a busy one does not do as fast as requests need it. */
async function getBefore(redis: RedisCache, name: string, end: number): Promise<Uint8Array | undefined> {
  while (performance.now() < end) {
    const { failures } = redis;
    const found = redis.isOpen ? undefined : await redis.get(name);
    if (found !== undefined || (!redis.isOpen && redis.failures === failures)) return found;
    await sleep(PAUSE_MS);
  }
  return undefined;
}
