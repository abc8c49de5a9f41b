import { algorithmById } from '../algorithms/resolve.ts';
import type { KeyEngine, MaybePromise } from '../engines/engine.ts';
import { softwareEngine } from '../engines/software-engine.ts';
import { loadMaterial } from '../engines/software-material.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { Store } from '../ports/store.ts';
import { EngineCache, type EngineCacheOptions } from './engine-cache.ts';

/** A key whose record was read and authenticated. */
export interface LoadedKey {
  readonly record: KeyRecord;
  /** The engine of one of its versions. */
  engine(version: KeyVersionRecord): MaybePromise<KeyEngine>;
}

/**
 * Finds keys for use. The record comes from the store on every call, so that a change of state counts at once on every
 * node; what is kept is the unsealed material, which never changes.
 */
export class KeyRing {
  readonly #store: Store;
  readonly #hierarchy: KeyHierarchy;
  readonly #engines: EngineCache;
  readonly #resident: readonly ResidentKeyProvider[];

  /** @param resident the HSMs in which versions may live */
  constructor(
    store: Store,
    hierarchy: KeyHierarchy,
    cache: EngineCacheOptions,
    clock: () => number,
    resident: readonly ResidentKeyProvider[] = [],
  ) {
    this.#resident = resident;
    this.#store = store;
    this.#hierarchy = hierarchy;
    this.#engines = new EngineCache(cache, clock);
  }

  /** Reads and authenticates a key. Throws `NOT_FOUND` for one that this tenant does not have. */
  async load(tenantId: TenantId, keyId: KeyId): Promise<LoadedKey> {
    const record = await this.#store.readKey(tenantId, keyId);
    if (record === undefined) throw keyNotFound();
    const chain = await this.#authenticate(record);
    return { record, engine: (version) => this.#engine(chain, record, version) };
  }

  /** Drops what is held of a key. */
  forget(keyId: KeyId): void {
    this.#engines.forget(keyId);
  }

  /** Drops what is held of all keys: engines do not know their tenant, and a tenant's end is rare. */
  forgetAll(): void {
    this.#engines.forget('');
  }

  /**
   * The master keys under which a record is authentic. When those in memory do not authenticate it they are read again:
   * another node may have rotated them, or have shredded the tenant, which is `NOT_FOUND`.
   */
  async #authenticate(record: KeyRecord): Promise<MasterKeyChain> {
    const held = await this.#hierarchy.masterKeys(record.tenantId);
    try {
      held.verifyRecord(record);
      return held;
    } catch (error) {
      if (!(error instanceof KmsError)) throw error;
      this.#hierarchy.forget(record.tenantId);
      const chain = await this.#hierarchy.masterKeys(record.tenantId);
      chain.verifyRecord(record);
      return chain;
    }
  }

  #engine(chain: MasterKeyChain, record: KeyRecord, version: KeyVersionRecord): KeyEngine {
    if (version.material.kind === 'resident') return this.#residentEngine(version, version.material.handle);
    if (version.material.kind !== 'sealed')
      throw new KmsError('INTERNAL_ERROR', 'The version has no material in this process.');
    const name = `${record.keyId}:${version.version}`;
    const { sealed } = version.material;
    const held = this.#engines.get(name, sealed);
    if (held !== undefined) return held;
    const algorithm = algorithmById(version.algorithm);
    const secret = chain.openVersion(record.keyId, version);
    try {
      const engine = softwareEngine(algorithm, loadMaterial(algorithm, secret));
      this.#engines.set(name, sealed, engine);
      return engine;
    } finally {
      secret.fill(0);
    }
  }

  /** Holds no key, so there is nothing to keep. */
  #residentEngine(version: KeyVersionRecord, handle: Uint8Array): KeyEngine {
    const provider = this.#resident.find((candidate) => candidate.id === version.provider);
    if (provider === undefined)
      throw new KmsError('HSM_UNAVAILABLE', `The HSM ${version.provider}, in which the key lives, is not configured.`, {
        retryAfterSeconds: 60,
      });
    return provider.engine(algorithmById(version.algorithm), handle, version.publicKey);
  }
}

/** The one answer for a key that does not exist and for a key of another tenant. */
export function keyNotFound(): KmsError {
  return new KmsError('NOT_FOUND', 'There is no key with this id.');
}
