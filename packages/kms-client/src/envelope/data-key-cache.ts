import { invalidArgument, requireKnown } from '../kms-client-error.ts';
import { toBase64 } from '../wire/base64.ts';
import type { DataKeySource, SealingKey } from './data-keys.ts';

/** How long a data key may serve, and for how much. Every bound counts for each data key. */
export interface DataKeyCacheOptions {
  /** How old it may become, in milliseconds. As long a key still serves here after the service would refuse it. */
  readonly maxAgeMs: number;
  /** How many streams it may encrypt or decrypt. */
  readonly maxUses: number;
  /** No stream begins under it after so many bytes were encrypted; 2^40 without it. */
  readonly maxBytes?: number | undefined;
  /** How many data keys are kept; 1,000 without it. The one that was not used for the longest time goes first. */
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
 * Keeps data keys of a source, so that many small streams need few calls of the service. Each stream has a key of its own all the
 * same, derived with a random salt of 256 bits. Keys are kept as handles that can't be exported.
 *
 * @throws KmsClientError `INVALID_ARGUMENT` for a bound that is not above 0.
 */
export function cachedDataKeys(source: DataKeySource, options: DataKeyCacheOptions): DataKeyCache {
  requireKnown(options, ['maxAgeMs', 'maxUses', 'maxBytes', 'maxEntries'], 'The data key cache');
  const { maxAgeMs, maxUses, maxBytes = 2 ** 40, maxEntries = 1000 } = options;
  for (const [name, value] of Object.entries({ maxAgeMs, maxUses, maxBytes, maxEntries }))
    if (!(value > 0)) throw invalidArgument(`${name} must be a number above 0.`);
  const sealing = new Map<string, Entry<SealingKey>>();
  const opening = new Map<string, Entry<CryptoKey>>();

  async function take<Key>(
    entries: Map<string, Entry<Key>>,
    id: string,
    make: () => Promise<Key>,
  ): Promise<[Key, Entry<Key>]> {
    const now = performance.now();
    for (const [each, entry] of entries) if (!isUsable(entry, now)) entries.delete(each);
    const entry = entries.get(id) ?? { key: make(), until: now + maxAgeMs, uses: 0, bytes: 0 };
    entry.uses += 1;
    // To the end: the first one is the one that was not used for the longest time.
    entries.delete(id);
    entries.set(id, entry);
    const [oldest] = entries.keys();
    if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    try {
      return [await entry.key, entry];
    } catch (error) {
      if (entries.get(id) === entry) entries.delete(id);
      throw error;
    }
  }

  function isUsable({ until, uses, bytes }: Entry<unknown>, now: number): boolean {
    return now < until && uses < maxUses && bytes < maxBytes;
  }

  return {
    async forSealing(keyId, contextDigest) {
      const id = `${keyId} ${toBase64(contextDigest)}`;
      const [key, entry] = await take(sealing, id, () => source.forSealing(keyId, contextDigest));
      return {
        ...key,
        used(bytes) {
          entry.bytes += bytes;
          key.used(bytes);
        },
      };
    },
    async forOpening(keyId, contextDigest, wrappedKey) {
      const id = `${keyId} ${toBase64(contextDigest)} ${toBase64(wrappedKey)}`;
      const [key] = await take(opening, id, () => source.forOpening(keyId, contextDigest, wrappedKey));
      return key;
    },
    clear() {
      sealing.clear();
      opening.clear();
    },
  };
}
