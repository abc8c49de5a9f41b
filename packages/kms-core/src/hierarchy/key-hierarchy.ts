import { randomBytes } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { MasterKeyWrap } from '../model/tenant.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import type { Store, UnitOfWork } from '../ports/store.ts';
import { MasterKeyChain } from './master-key-chain.ts';
import { TenantMasterKey, TMK_BYTES, wrapBinding } from './tenant-master-key.ts';

/**
 * The keys between the roots and the key versions: makes, wraps, finds and holds tenant master keys.
 *
 * Each master key is wrapped under the root of every provider, so that any one living root opens it.
 */
export class KeyHierarchy {
  readonly #store: Store;
  readonly #roots: readonly RootProvider[];
  readonly #chains = new Map<TenantId, Promise<MasterKeyChain>>();

  constructor(store: Store, roots: readonly RootProvider[]) {
    if (roots.length === 0) throw new RangeError('a key hierarchy has at least one root provider');
    this.#store = store;
    this.#roots = roots;
  }

  /** The name of the provider that new software key versions are sealed under. */
  get providerId(): string {
    return this.#roots[0]?.id ?? '';
  }

  /** Makes the first master key of a tenant, inside the unit of work that makes the tenant. */
  async createMasterKey(unit: UnitOfWork, tenantId: TenantId): Promise<void> {
    const bytes = randomBytes(TMK_BYTES);
    try {
      const wraps = await Promise.all(this.#roots.map((root) => wrapUnder(root, tenantId, 1, bytes)));
      await unit.tenants.addMasterKeyWraps(wraps);
    } finally {
      bytes.fill(0);
    }
  }

  /**
   * The master keys of a tenant. Call it before a unit of work begins, never inside one: it reads the store.
   *
   * @throws KmsError `NOT_FOUND` when the tenant has none, as after a crypto-shred; `HSM_UNAVAILABLE` when no root that
   *   wraps them answers.
   */
  masterKeys(tenantId: TenantId): Promise<MasterKeyChain> {
    const held = this.#chains.get(tenantId);
    if (held !== undefined) return held;
    const loading = this.#load(tenantId);
    this.#chains.set(tenantId, loading);
    loading.catch(() => this.forget(tenantId));
    return loading;
  }

  /** Drops a tenant's master keys from memory. */
  forget(tenantId: TenantId): void {
    this.#chains.delete(tenantId);
  }

  async #load(tenantId: TenantId): Promise<MasterKeyChain> {
    const scope = tenantId === SYSTEM_TENANT ? ({ kind: 'system' } as const) : ({ kind: 'tenant', tenantId } as const);
    const wraps = await this.#store.transact(scope, (unit) => unit.tenants.masterKeyWraps(tenantId));
    const versions = [...new Set(wraps.map((wrap) => wrap.tmkVersion))].sort((a, b) => a - b);
    const keys = await Promise.all(versions.map((version) => this.#unwrap(tenantId, version, wraps)));
    const [first, ...rest] = keys;
    if (first === undefined) throw new KmsError('NOT_FOUND', 'The tenant has no master key.');
    return new MasterKeyChain([first, ...rest]);
  }

  /** Tries the providers in order: a root that can't be reached is passed over, one that refuses the wrap is an error. */
  async #unwrap(tenantId: TenantId, version: number, wraps: readonly MasterKeyWrap[]): Promise<TenantMasterKey> {
    let unavailable: KmsError | undefined;
    for (const root of this.#roots) {
      const wrap = wraps.find((candidate) => candidate.tmkVersion === version && candidate.providerId === root.id);
      if (wrap === undefined) continue;
      try {
        const bytes = await root.unwrap(wrap.wrapped, wrapBinding(tenantId, version, root.id));
        try {
          return new TenantMasterKey(tenantId, version, bytes);
        } finally {
          bytes.fill(0);
        }
      } catch (error) {
        if (!(error instanceof KmsError) || error.code !== 'HSM_UNAVAILABLE') {
          throw new KmsError('INTERNAL_ERROR', `The tenant master key does not open under the root ${root.id}.`, {
            cause: error,
          });
        }
        unavailable = error;
      }
    }
    if (unavailable !== undefined) throw unavailable;
    throw new KmsError('INTERNAL_ERROR', `No configured root has a wrap of the tenant master key version ${version}.`);
  }
}

async function wrapUnder(
  root: RootProvider,
  tenantId: TenantId,
  tmkVersion: number,
  key: Uint8Array,
): Promise<MasterKeyWrap> {
  const wrapped = await root.wrap(key, wrapBinding(tenantId, tmkVersion, root.id));
  return { tenantId, tmkVersion, providerId: root.id, wrapped };
}
