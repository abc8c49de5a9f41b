import { takesRoom } from '../access/api-token.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { KeyVersionRecord } from '../model/key.ts';
import { fieldOf, TENANT_ACCOUNT } from '../model/record-fields.ts';
import type { MasterKeyName, MasterKeyWrap, RootRecord, TenantRecord } from '../model/tenant.ts';
import type { MasterKeyCounts, TenantPage, TenantQuery, TenantRecords, TenantUsage } from '../ports/store.ts';
import {
  copyOf,
  type MemoryUnit,
  requireActiveTenant,
  requireLiveMasterKey,
  requireSeen,
  requireSystem,
  sees,
} from './store-memory-tables.ts';

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

  async shred({ tenantId, mac }: Pick<TenantRecord, 'tenantId' | 'mac'>): Promise<void> {
    const { tenants, wraps, keys, answers } = this.#unit.tables();
    const tenant = await this.get(tenantId);
    if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    tenants.set(tenantId, copyOf({ ...tenant, state: 'shredded', mac }));
    for (const [name, wrap] of wraps) if (wrap.tenantId === tenantId) wraps.delete(name);
    for (const [name, answer] of answers)
      if (answer.tenantId === tenantId && answer.answer !== null) answers.delete(name);
    for (const [keyId, key] of keys) {
      if (key.tenantId === tenantId) keys.set(keyId, { ...key, versions: key.versions.map(withoutSealedMaterial) });
    }
  }

  async setFields({ tenantId, fields, mac }: Pick<TenantRecord, 'tenantId' | 'fields' | 'mac'>): Promise<void> {
    requireSystem(this.#unit.scope);
    const tenant = await this.get(tenantId);
    if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    const { tenants } = this.#unit.tables();
    const account = fieldOf(fields, TENANT_ACCOUNT);
    for (const other of tenants.values())
      if (account !== undefined && other.tenantId !== tenantId && fieldOf(other.fields, TENANT_ACCOUNT) === account)
        throw new KmsError('CONFLICT', 'Another tenant has this account.');
    tenants.set(tenantId, copyOf({ ...tenant, fields, mac }));
  }

  async usage(tenantId: TenantId): Promise<TenantUsage> {
    const { scope, now } = this.#unit;
    const { keys, tokens, bindings, operations, answers } = this.#unit.tables();
    const count = <T extends { readonly tenantId: TenantId | null }>(
      of: ReadonlyMap<string, T>,
      counts: (one: T) => boolean,
    ) => [...of.values()].filter((one) => one.tenantId === tenantId && sees(scope, tenantId) && counts(one)).length;
    const thisMonth = operations.get(`${tenantId}:${now.toISOString().slice(0, 7)}`) ?? 0;
    return {
      keys: count(keys, ({ state }) => state !== 'destroyed'),
      tokens: count(tokens, (token) => takesRoom(token, now)),
      identityBindings: count(bindings, ({ removedAt }) => removedAt === null),
      operationsThisMonth: sees(scope, tenantId) ? thisMonth : 0,
      keptAnswers: count(answers, ({ expiresAt }) => expiresAt !== null && expiresAt > now),
    };
  }

  async list({ limit, after }: TenantQuery): Promise<TenantPage> {
    const behind = [...this.#unit.tables().tenants.values()]
      .filter((tenant) => sees(this.#unit.scope, tenant.tenantId))
      .filter((tenant) => !after || oldestFirst(after, tenant) < 0)
      .sort(oldestFirst);
    return { items: behind.slice(0, limit).map(copyOf), more: behind.length > limit };
  }

  async bind(
    { tenantId, mac }: Pick<TenantRecord, 'tenantId' | 'mac'>,
    added: readonly MasterKeyWrap[],
  ): Promise<void> {
    requireSystem(this.#unit.scope);
    const { tenants, wraps } = this.#unit.tables();
    const tenant = await this.get(tenantId);
    if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    tenants.set(tenantId, copyOf({ ...tenant, mac }));
    for (const [name, wrap] of wraps) if (wrap.tenantId === tenantId) wraps.delete(name);
    await this.addMasterKeyWraps(added);
  }

  async masterKeyWraps(tenantId: TenantId): Promise<readonly MasterKeyWrap[]> {
    return [...this.#unit.tables().wraps.values()]
      .filter((wrap) => wrap.tenantId === tenantId && sees(this.#unit.scope, tenantId))
      .sort((a, b) => a.tmkVersion - b.tmkVersion || (rootName(a) < rootName(b) ? -1 : 1))
      .map(copyOf);
  }

  async addMasterKeyWraps(added: readonly MasterKeyWrap[]): Promise<void> {
    const tables = this.#unit.tables();
    const { wraps, roots } = tables;
    for (const wrap of added) {
      requireSeen(this.#unit.scope, wrap.tenantId);
      requireActiveTenant(tables, wrap.tenantId);
      requireLiveMasterKey(tables, wrap.tenantId, wrap.tmkVersion);
      if (!roots.has(rootName(wrap))) throw new KmsError('CONFLICT', 'The root is not in use.');
      if (wraps.has(nameOf(wrap)))
        throw new KmsError('CONFLICT', 'This version of the master key has a wrap under this root.');
    }
    for (const wrap of added) wraps.set(nameOf(wrap), copyOf(wrap));
  }

  async roots(): Promise<readonly RootRecord[]> {
    requireSystem(this.#unit.scope);
    const roots = [...this.#unit.tables().roots.values()];
    return roots.sort((a, b) => (nameOfRoot(a) < nameOfRoot(b) ? -1 : 1)).map(copyOf);
  }

  async addRoot(root: RootRecord): Promise<void> {
    requireSystem(this.#unit.scope);
    const { roots } = this.#unit.tables();
    if (roots.has(nameOfRoot(root))) throw new KmsError('CONFLICT', 'The root is in use already.');
    roots.set(nameOfRoot(root), copyOf(root));
  }

  async removeRoot(root: RootRecord): Promise<void> {
    requireSystem(this.#unit.scope);
    const { roots, wraps } = this.#unit.tables();
    if (!roots.has(nameOfRoot(root))) throw new KmsError('NOT_FOUND', 'The root is not in use.');
    const others = new Set(
      [...wraps.values()].filter((wrap) => rootName(wrap) !== nameOfRoot(root)).map(masterKeyName),
    );
    const own = [...wraps.values()].filter((wrap) => rootName(wrap) === nameOfRoot(root));
    if (roots.size === 1 || own.some((wrap) => !others.has(masterKeyName(wrap))))
      throw new KmsError('CONFLICT', 'Nothing else opens what this root wraps.');
    for (const wrap of own) wraps.delete(nameOf(wrap));
    roots.delete(nameOfRoot(root));
  }

  async masterKeysLacking(root: RootRecord, limit: number): Promise<readonly MasterKeyName[]> {
    requireSystem(this.#unit.scope);
    const wraps = [...this.#unit.tables().wraps.values()];
    const wrapped = new Set(wraps.filter((wrap) => rootName(wrap) === nameOfRoot(root)).map(masterKeyName));
    const lacking = new Map(wraps.map((wrap) => [masterKeyName(wrap), wrap] as const));
    for (const name of wrapped) lacking.delete(name);
    return [...lacking]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([, { tenantId, tmkVersion }]) => ({ tenantId, tmkVersion }));
  }

  async countMasterKeys(): Promise<MasterKeyCounts> {
    requireSystem(this.#unit.scope);
    const wraps = [...this.#unit.tables().wraps.values()];
    const roots = await this.roots();
    return {
      total: new Set(wraps.map(masterKeyName)).size,
      byRoot: roots.map((root) => ({
        ...root,
        wraps: wraps.filter((wrap) => rootName(wrap) === nameOfRoot(root)).length,
      })),
    };
  }

  /** Units run one after another, so every one has the roots to itself. */
  async lockRoots(): Promise<void> {
    requireSystem(this.#unit.scope);
    this.#unit.tables();
  }
}

function nameOf(wrap: MasterKeyWrap): string {
  return `${masterKeyName(wrap)}:${rootName(wrap)}`;
}

function masterKeyName({ tenantId, tmkVersion }: MasterKeyName): string {
  return `${tenantId}:${String(tmkVersion).padStart(10, '0')}`;
}

function rootName({ providerId, rootCheckValue }: MasterKeyWrap): string {
  return nameOfRoot({ providerId, checkValue: rootCheckValue });
}

function nameOfRoot({ providerId, checkValue }: RootRecord): string {
  return `${providerId}:${checkValue}`;
}

function withoutSealedMaterial(version: KeyVersionRecord): KeyVersionRecord {
  return version.material.kind === 'sealed' ? { ...version, material: { kind: 'none' } } : version;
}

type Place = NonNullable<TenantQuery['after']>;

function oldestFirst(a: Place, b: Place): number {
  return (
    a.createdAt.getTime() - b.createdAt.getTime() || (a.tenantId < b.tenantId ? -1 : a.tenantId > b.tenantId ? 1 : 0)
  );
}
