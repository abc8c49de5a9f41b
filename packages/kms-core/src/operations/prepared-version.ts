import type { Algorithm } from '../algorithms/registry.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyVersionRecord, ProtectionLevel } from '../model/key.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { UnitOfWork } from '../ports/store.ts';

/** What is known of material that was made for a new version. */
export interface VersionFacts {
  readonly algorithm: Algorithm;
  readonly origin: KeyVersionRecord['origin'];
  readonly protectionLevel: ProtectionLevel;
  /** What was done differently from what was requested. */
  readonly warnings: readonly string[];
}

/** How material is stored and cleaned up, wherever it is. */
export interface VersionMaterial {
  /** Stores it as a version of a key, in the unit that writes the key's record. */
  store(unit: UnitOfWork, chain: MasterKeyChain, name: ResidentKeyName): Promise<KeyVersionRecord>;
  /** Removes what was made for it. */
  remove(): Promise<void>;
  /** Wipes what is held in memory. */
  wipe(): void;
}

/**
 * Material of a new version that is made and tested, but not stored yet. To be held with `await using`: when it is left, what is held in
 * memory is wiped, and what was made in an HSM and certainly is not stored is removed.
 *
 * It is used so:
 * await using prepared = await prepareVersion(op, plan);
 * return await prepared.stored(changeKey(op, kind, input, (record, context) => addVersion(record, context, prepared)));
 */
export class PreparedVersion implements AsyncDisposable {
  readonly facts: VersionFacts;
  readonly #material: VersionMaterial;
  /** Whether a unit of work took it. */
  #taken = false;
  /** Whether that unit ended: whether the version is in the store now, `undefined` when nobody knows. */
  #isStored: boolean | undefined;

  constructor(facts: VersionFacts, material: VersionMaterial) {
    this.facts = facts;
    this.#material = material;
  }

  /** Stores it as a version of a key, in the unit that writes the key's record. */
  store(unit: UnitOfWork, chain: MasterKeyChain, name: ResidentKeyName): Promise<KeyVersionRecord> {
    this.#taken = true;
    return this.#material.store(unit, chain, name);
  }

  /** Waits for the work that stores it, and takes note of how it ended. */
  async stored<T>(work: Promise<T>): Promise<T> {
    try {
      const answer = await work;
      this.#isStored = true;
      return answer;
    } catch (error) {
      if (wasRefused(error)) this.#isStored = false;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#material.wipe();
    // A call that was answered from an earlier one with the same idempotency key stored nothing.
    if (!this.#taken || this.#isStored === false) await this.#material.remove();
  }
}

/** Whether the unit of work was certainly undone: a store that was lost may have committed it nevertheless. */
function wasRefused(error: unknown): boolean {
  return KmsError.is(error) && error.code !== 'STORE_UNAVAILABLE' && error.code !== 'INTERNAL_ERROR';
}
