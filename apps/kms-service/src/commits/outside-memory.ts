import type { RedisCache } from '@qnsp/kms-cache';
import {
  type CommitMemory,
  commitsName,
  type KnownCommits,
  type MasterKeyChain,
  openCommits,
  type RememberedCommits,
  sealCommits,
} from '@qnsp/kms-core';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../http/logger.ts';
import type { CommitFiles } from './commit-files.ts';
import { REMEMBERED_MS } from './retention.ts';

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
 * Remembers outside of the database what processes were told of as committed: in Redis and in a directory, where there are such.
 * What is there is sealed, so that nobody who can write there can make the service take its database for an older one.
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
    if (redis !== undefined) await isAnswering(redis);
    return [...(await Promise.all(fromFiles)).flat(), ...(await this.recall(holders))];
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
      // Whoever made it up could otherwise stop the service, and whoever damages it could as well remove it.
      this.#options.log.error({ holder, err: error }, 'what is remembered of commits was not written by this service');
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
      redis?.put(commitsName(known.holder), sealed, KEPT_SECONDS);
      try {
        await files?.write(known.holder, sealed);
      } catch (error) {
        // A change is not refused for it: it is a second look, and the memory of this process is another.
        log.error({ err: error }, 'KMS_STATE_DIR can not be written: commits are not remembered there');
      }
    }
    this.#writing = undefined;
  }
}

/** Waits until Redis has answered once. */
async function isAnswering(redis: RedisCache): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(PAUSE_MS)) {
    const { failures } = redis;
    if (redis.isOpen) continue;
    await redis.get('probe');
    if (redis.failures === failures) return;
  }
}
