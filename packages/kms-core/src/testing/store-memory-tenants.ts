import { KmsError } from '../errors/kms-error.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { KeyVersionRecord } from '../model/key.ts';
import type { MasterKeyWrap, RootRecord, TenantRecord } from '../model/tenant.ts';
import type { TenantRecords } from '../ports/store.ts';
import { copyOf, type MemoryUnit, requireSeen, requireSystem, sees } from './store-memory-tables.ts';

export class MemoryTenants implements TenantRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async get(tenantId: TenantId): Promise<TenantRecord | undefined> {
    const tenant = this.#unit.tables().tenants.get(tenantId);
    return tenant === undefined || !sees(this.#unit.scope, tenantId) ? undefined : copyOf(tenant);
  }

  async insert(tenant: TenantRecord): Promise<void> {
    requireSeen(this.#unit.scope, tenant.tenantId);
    const { tenants } = this.#unit.tables();
    if (tenants.has(tenant.tenantId)) throw new KmsError('CONFLICT', 'The id of the tenant was used before.');
    tenants.set(tenant.tenantId, copyOf(tenant));
  }

  async shred(tenantId: TenantId): Promise<void> {
    const { tenants, wraps, keys, answers } = this.#unit.tables();
    const tenant = await this.get(tenantId);
    if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    tenants.set(tenantId, { ...tenant, state: 'shredded' });
    for (const [name, wrap] of wraps) if (wrap.tenantId === tenantId) wraps.delete(name);
    for (const [name, answer] of answers)
      if (answer.tenantId === tenantId && answer.answer !== null) answers.delete(name);
    for (const [keyId, key] of keys) {
      if (key.tenantId === tenantId) keys.set(keyId, { ...key, versions: key.versions.map(withoutSealedMaterial) });
    }
  }

  async list(): Promise<readonly TenantRecord[]> {
    return [...this.#unit.tables().tenants.values()]
      .filter((tenant) => sees(this.#unit.scope, tenant.tenantId))
      .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.tenantId < b.tenantId ? -1 : 1))
      .map(copyOf);
  }

  async masterKeyWraps(tenantId: TenantId): Promise<readonly MasterKeyWrap[]> {
    return [...this.#unit.tables().wraps.values()]
      .filter((wrap) => wrap.tenantId === tenantId && sees(this.#unit.scope, tenantId))
      .sort((a, b) => a.tmkVersion - b.tmkVersion || (a.providerId < b.providerId ? -1 : 1))
      .map(copyOf);
  }

  async addMasterKeyWraps(added: readonly MasterKeyWrap[]): Promise<void> {
    const { wraps, tenants } = this.#unit.tables();
    for (const wrap of added) {
      requireSeen(this.#unit.scope, wrap.tenantId);
      const tenant = tenants.get(wrap.tenantId);
      if (tenant === undefined) throw new KmsError('INTERNAL_ERROR', 'The tenant of the master key does not exist.');
      if (tenant.state === 'shredded') throw new KmsError('CONFLICT', 'The tenant was shredded.');
      if (wraps.has(nameOf(wrap)))
        throw new KmsError('CONFLICT', 'This version of the master key has a wrap of this provider.');
    }
    for (const wrap of added) wraps.set(nameOf(wrap), copyOf(wrap));
  }

  async roots(): Promise<readonly RootRecord[]> {
    requireSystem(this.#unit.scope);
    const roots = [...this.#unit.tables().roots.values()];
    return roots.sort((a, b) => (a.providerId < b.providerId ? -1 : 1)).map(copyOf);
  }

  async addRoot(root: RootRecord): Promise<void> {
    requireSystem(this.#unit.scope);
    const { roots } = this.#unit.tables();
    if (roots.has(root.providerId)) throw new KmsError('CONFLICT', 'The provider has a root already.');
    roots.set(root.providerId, copyOf(root));
  }

  /** Units run one after another, so every one has the roots to itself. */
  async lockRoots(): Promise<void> {
    requireSystem(this.#unit.scope);
    this.#unit.tables();
  }
}

function nameOf({ tenantId, tmkVersion, providerId }: MasterKeyWrap): string {
  return `${tenantId}:${tmkVersion}:${providerId}`;
}

function withoutSealedMaterial(version: KeyVersionRecord): KeyVersionRecord {
  return version.material.kind === 'sealed' ? { ...version, material: { kind: 'none' } } : version;
}
