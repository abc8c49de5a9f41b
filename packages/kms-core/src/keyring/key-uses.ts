import type { CryptoOperation } from '../algorithms/crypto-operation.ts';
import { PROCESSING } from '../lifecycle/operations.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyVersionRecord } from '../model/key.ts';
import type { Store, VersionUse } from '../ports/store.ts';

const HOUR_MS = 60 * 60_000;
/** Further ones wait for their next use until these are written. */
const MOST_NOTED = 100_000;
const WRITTEN_AT_ONCE = 500;

/** Until when each use of a version that is held is noted: the end of that hour, in milliseconds since 1970. */
export type NotedUses = Partial<Record<CryptoOperation, number>>;

/** A version that is held, with what is noted of it. */
export interface NotedVersion {
  readonly record: Pick<KeyVersionRecord, 'version' | 'state'>;
  readonly noted: NotedUses;
}

/**
 * Notes in which hour each version of a key was used to protect something, and to process what it protected: in memory, and written to the
 * store from time to time. A node that is killed forgets what it has not written yet. The path of a request only compares two numbers, but
 * for the first use in an hour.
 */
export class KeyUses {
  readonly #pending = new Map<string, VersionUse>();

  /** A version is used, for the first time in this hour as far as is noted. Whatever a superseded version is used for reads what it protected. */
  note(keyId: KeyId, { record, noted }: NotedVersion, operation: CryptoOperation, now: number): void {
    const { version, state } = record;
    const name = `${keyId}:${version}`;
    const held = this.#pending.get(name);
    if (held === undefined && this.#pending.size >= MOST_NOTED) return;
    const hour = Math.floor(now / HOUR_MS);
    noted[operation] = (hour + 1) * HOUR_MS;
    const direction = state === 'active' && !PROCESSING.has(operation) ? 'protectedAt' : 'processedAt';
    const at = hour * HOUR_MS;
    if (held?.[direction]?.getTime() === at) return;
    const before = held ?? { keyId, version, protectedAt: null, processedAt: null };
    this.#pending.set(name, { ...before, [direction]: new Date(at) });
  }

  /** What is noted of a key and not written yet. */
  notWritten(keyId: KeyId): readonly VersionUse[] {
    return [...this.#pending.values()].filter((use) => use.keyId === keyId);
  }

  /** Writes everything to the store. What cannot be written is kept for the next time. */
  async flush(store: Pick<Store, 'transact'>): Promise<void> {
    const noted = [...this.#pending];
    for (let at = 0; at < noted.length; at += WRITTEN_AT_ONCE) {
      const some = noted.slice(at, at + WRITTEN_AT_ONCE);
      await store.transact({ kind: 'system' }, (unit) => unit.keys.recordUses(some.map(([, use]) => use)));
      for (const [name, use] of some) if (this.#pending.get(name) === use) this.#pending.delete(name);
    }
  }
}
