import { invalidArgument, requireKnown } from '../errors/kms-client-error.ts';
import { toBase64 } from '../wire/base64.ts';
import { inBackground } from './background-timer.ts';
import type { DataKeyCallOptions, DataKeySource, SealingKey } from './data-keys.ts';

/** How long a data key may be used, and for how much. Every bound applies to each data key. */
export interface DataKeyCacheOptions {
  /**
   * How old it may become, in milliseconds. A key remains in use here for up to this long after the service would
   * refuse it.
   */
  readonly maxAgeMs: number;
  /** How many streams it may encrypt or decrypt. */
  readonly maxUses: number;
  /** No stream begins under it after this many bytes were encrypted; default: 2^40. */
  readonly maxBytes?: number | undefined;
  /** How many data keys are kept; default: 1,000. The least recently used one goes first. */
  readonly maxEntries?: number | undefined;
}

/** Data keys that are kept in memory for a while. */
export interface DataKeyCache extends DataKeySource {
  /** Forgets every key. */
  clear(): void;
}

interface Entry<Key> {
  readonly key: Promise<Key>;
  readonly until: number;
  uses: number;
  bytes: number;
}

/**
 * Keeps data keys of a source, so that many small streams need few calls to the service. Each stream still has its own
 * key, derived with a random 256-bit salt. Keys are kept as handles that cannot be exported, and released when they are
 * too old.
 *
 * @throws KmsClientError `INVALID_ARGUMENT` for a bound that is not above 0, or infinite.
 */
export function cachedDataKeys(source: DataKeySource, options: DataKeyCacheOptions): DataKeyCache {
  requireKnown(options, ['maxAgeMs', 'maxUses', 'maxBytes', 'maxEntries'], 'The data key cache');
  const { maxAgeMs, maxUses, maxBytes = 2 ** 40, maxEntries = 1000 } = options;
  for (const [name, value] of Object.entries({ maxAgeMs, maxUses, maxBytes, maxEntries }))
    if (!Number.isFinite(value) || value <= 0) throw invalidArgument(`${name} must be a number above 0.`);
  const sealing = new Map<string, Entry<SealingKey>>();
  const opening = new Map<string, Entry<CryptoKey>>();
  let isSweepPlanned = false;

  async function take<Key>(
    entries: Map<string, Entry<Key>>,
    id: string,
    make: () => Promise<Key>,
    { signal }: DataKeyCallOptions,
  ): Promise<[Key, Entry<Key>]> {
    signal?.throwIfAborted();
    const now = performance.now();
    forget(entries, now);
    const entry = entries.get(id) ?? { key: make(), until: now + maxAgeMs, uses: 0, bytes: 0 };
    entry.key.catch(() => {
      if (entries.get(id) === entry) entries.delete(id);
    });
    entry.uses += 1;
    // To the end: the first one is the least recently used.
    entries.delete(id);
    if (entry.uses < maxUses) entries.set(id, entry);
    const [oldest] = entries.keys();
    if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    planSweep();
    return [await unlessAborted(entry.key, signal), entry];
  }

  function forget(entries: Map<string, Entry<unknown>>, now: number): void {
    for (const [id, entry] of entries) if (!isUsable(entry, now)) entries.delete(id);
  }

  /** Releases keys that nobody asks for any more, when the first of them is too old. */
  function planSweep(): void {
    if (isSweepPlanned) return;
    const ends = [...sealing.values(), ...opening.values()].map(({ until }) => until);
    if (ends.length === 0) return;
    isSweepPlanned = true;
    inBackground(Math.max(0, Math.min(...ends) - performance.now()) + 1, () => {
      isSweepPlanned = false;
      for (const entries of [sealing, opening]) forget(entries, performance.now());
      planSweep();
    });
  }

  function isUsable({ until, uses, bytes }: Entry<unknown>, now: number): boolean {
    return now < until && uses < maxUses && bytes < maxBytes;
  }

  return {
    async forSealing(keyId, contextDigest, call) {
      const id = `${keyId} ${toBase64(contextDigest)}`;
      const [key, entry] = await take(sealing, id, () => source.forSealing(keyId, contextDigest, {}), call);
      return {
        ...key,
        used(bytes) {
          entry.bytes += bytes;
          key.used(bytes);
        },
      };
    },
    async forOpening(keyId, contextDigest, wrappedKey, call) {
      const id = `${keyId} ${toBase64(contextDigest)} ${toBase64(wrappedKey)}`;
      const [key] = await take(opening, id, () => source.forOpening(keyId, contextDigest, wrappedKey, {}), call);
      return key;
    },
    clear() {
      sealing.clear();
      opening.clear();
    },
  };
}

/** Others may wait for the same key, so that the signal of one of them ends only its own wait. */
function unlessAborted<Key>(key: Promise<Key>, signal: AbortSignal | undefined): Promise<Key> {
  if (signal === undefined) return key;
  return new Promise((resolve, reject) => {
    const end = () => {
      // The caller that aborts chooses the reason.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      reject(signal.reason);
    };
    signal.addEventListener('abort', end, { once: true });
    key.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}
