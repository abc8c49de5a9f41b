import { setTimeout as sleep } from 'node:timers/promises';
import KeyvRedis from '@keyv/redis';
import type { SharedCache } from '@qnsp/kms-core/ports';
import { BypassingBreaker } from './bypassing-breaker.ts';
import { hearingConsoleErrors } from './console-errors.ts';
import { redisClient } from './redis-client.ts';
import { parseRedisUrl } from './redis-url.ts';

/** A request waits no longer than this for Redis, unless an answer has already arrived. */
const LIMIT_MS = 4;
const BREAKER = { limitMs: LIMIT_MS, failures: 3, openMs: 1000 };
const RECONNECT_MS = 1000;
/** This many writes may be in flight; more are dropped, as none of them is needed. */
const MOST_WRITES = 256;
/** The largest value that is kept, in bytes; a key with that many versions is read from the database. */
const MOST_BYTES = 1024 * 1024;

/** Which Redis is the cache, and how it is used. */
export interface RedisCacheOptions {
  /** As {@link parseRedisUrl} reads it. */
  readonly url: string;
  /** The certificate authority of the server in PEM; default: those of the system. */
  readonly caPem?: string;
  /** How long entries are kept. */
  readonly ttlSeconds: number;
  /** Called when Redis is not used for a while and when it is back. */
  readonly onChange: (state: 'open' | 'closed', cause: unknown) => void;
}

export interface RedisCache extends SharedCache {
  /** Whether Redis is not used for now because it failed or was slow. */
  readonly isOpen: boolean;
  /** How many calls failed or took too long. */
  readonly failures: number;
  /** @param ttlSeconds how long, if not as long as other entries */
  put(name: string, bytes: Uint8Array, ttlSeconds?: number): void;
  /** Why the connection failed last, `undefined` once a read has succeeded again; that it was closed is no failure. */
  readonly connectionFailure: unknown;
  close(): Promise<void>;
}

/**
 * A shared cache in Redis. Connects in the background; as long as it is not connected, slow or failing, it holds nothing.
 * Uses GET and SET with an expiry only.
 *
 * @throws RangeError for a URL that is not a Redis URL
 * @example
 * import { openRedisCache } from '@qnsp/kms-cache';
 * const cache = openRedisCache({ url: redisUrl, ttlSeconds: 600, onChange: () => {} });
 * await cache.close();
 */
export function openRedisCache(options: RedisCacheOptions): RedisCache {
  const target = parseRedisUrl(options.url);
  if (target === undefined) throw new RangeError('not a Redis URL');
  return new KeyvRedisCache(redisClient(target, options.caPem), options);
}

class KeyvRedisCache implements RedisCache {
  readonly #client: ReturnType<typeof redisClient>;
  // Without Keyv itself, which answers a failed read like a miss: the breaker has to tell them apart.
  readonly #store: KeyvRedis<string>;
  readonly #breaker: BypassingBreaker;
  readonly #ttlMs: number;
  readonly #closing = new AbortController();
  readonly #connecting: Promise<void>;
  #writes = 0;
  /** Why the last attempt to connect failed, in a sentence. */
  #reason: string | undefined;
  #connectionFailure: unknown;

  constructor(client: ReturnType<typeof redisClient>, { ttlSeconds, onChange }: RedisCacheOptions) {
    this.#client = client;
    this.#store = new KeyvRedis<string>(client, { namespace: 'qnsp-kms', throwOnErrors: true });
    // What fails is seen where it is asked for; an error event without a listener would end the process. It says more than what a
    // client throws that has asked several servers.
    this.#store.on('error', (error: unknown) => {
      this.#reason = sentenceOf(error);
    });
    client.on('error', (error: unknown) => this.#noteConnectionFailure(error));
    client.on('ready', () => {
      this.#connectionFailure = undefined;
    });
    this.#ttlMs = ttlSeconds * 1000;
    // A read of a name that nobody uses: the access list allows no more than reads and writes of names.
    const probe = () => this.#attempt(() => this.#store.get<string>('probe'));
    this.#breaker = new BypassingBreaker({ ...BREAKER, probe }, (open, cause) =>
      onChange(open ? 'open' : 'closed', this.#explained(open, cause)),
    );
    this.#connecting = hearingConsoleErrors(
      (error) => {
        this.#reason ??= sentenceOf(error);
      },
      () => this.#connect(),
    );
  }

  get isOpen(): boolean {
    return this.#breaker.isOpen;
  }

  get failures(): number {
    return this.#breaker.failed;
  }

  get connectionFailure(): unknown {
    return this.#connectionFailure;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const text = await this.#breaker.run(() => this.#attempt(() => this.#store.get<string>(name)));
    return text === undefined ? undefined : Buffer.from(text, 'base64');
  }

  put(name: string, bytes: Uint8Array, ttlSeconds?: number): void {
    const ttlMs = ttlSeconds === undefined ? this.#ttlMs : ttlSeconds * 1000;
    if (this.#breaker.isOpen || this.#writes >= MOST_WRITES || bytes.length > MOST_BYTES) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
    this.#writes += 1;
    void this.#breaker
      .run(() => this.#attempt(() => this.#store.set(name, text, ttlMs)))
      .finally(() => {
        this.#writes -= 1;
      });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#breaker.close();
    if (this.#client.isOpen) await this.#client.destroy();
    await this.#connecting;
  }

  async #attempt<T>(call: () => Promise<T>): Promise<T> {
    // The adapter would start connecting on its own, again with each request.
    if (!this.#client.isOpen) throw new Error('not connected', { cause: this.#connectionFailure });
    const answer = await call();
    this.#connectionFailure = undefined;
    return answer;
  }

  /** A client that is destroyed while it signs in fails at that, with a TypeError, which says nothing of the server. */
  #noteConnectionFailure(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#connectionFailure = error;
  }

  /** A client that looks for its server lets calls wait: the wait says less than the reason why it has not found it. */
  #explained(open: boolean, cause: unknown): unknown {
    const reason = this.#reason;
    if (!open) this.#reason = undefined;
    return open && reason !== undefined ? new Error(`not connected: ${reason}`, { cause }) : cause;
  }

  /** A single server is connected to again by its client; the first answer of a cluster or of sentinels is not. */
  async #connect(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#client.connect();
        return;
      } catch (error) {
        this.#reason ??= sentenceOf(error);
        // The breaker tells of it: every call fails until this succeeds.
        this.#noteConnectionFailure(error);
        await sleep(RECONNECT_MS, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
      }
    }
  }
}

function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? text;
}
