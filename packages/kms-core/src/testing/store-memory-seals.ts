import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { KeyRecord, RecordMac } from '../model/key.ts';
import type { FoundIdentities, SealCounts, SealRecords } from '../ports/store.ts';
import { checkReseal } from '../ports/store-invariants.ts';
import { masterKeysOf } from './store-memory-keys.ts';
import {
  copyOf,
  type MemoryUnit,
  requireActiveTenant,
  requireLiveMasterKey,
  requireSeen,
  requireSystem,
  sees,
} from './store-memory-tables.ts';

export class MemorySeals implements SealRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async unfinished(limit: number, after: TenantId | null): Promise<readonly TenantId[]> {
    requireSystem(this.#unit.scope);
    const versions = Map.groupBy(this.#unit.tables().wraps.values(), ({ tenantId }) => tenantId);
    return [...versions]
      .filter(([, wraps]) => new Set(wraps.map(({ tmkVersion }) => tmkVersion)).size > 1)
      .map(([tenantId]) => tenantId)
      .filter((tenantId) => after === null || tenantId > after)
      .sort()
      .slice(0, limit);
  }

  async count(tenantId: TenantId, tmkVersion: number): Promise<SealCounts> {
    const keys = this.#keys(tenantId);
    const others = [...this.#bindings(tenantId), ...this.#denials(tenantId)];
    return {
      total: keys.length + others.length,
      left: keys.filter(isKeyBefore(tmkVersion)).length + others.filter(isBefore(tmkVersion)).length,
    };
  }

  async lockKeys(
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly KeyId[],
  ): Promise<readonly KeyRecord[]> {
    return this.#keys(tenantId)
      .filter(isKeyBefore(tmkVersion))
      .filter(({ keyId }) => !except.includes(keyId))
      .slice(0, limit)
      .map(copyOf);
  }

  async resealKey(key: KeyRecord): Promise<void> {
    const { keys } = this.#tablesOf(key);
    try {
      for (const tmkVersion of masterKeysOf(key)) requireLiveMasterKey(this.#unit.tables(), key.tenantId, tmkVersion);
      const current = keys.get(key.keyId);
      if (current === undefined) throw new KmsError('INTERNAL_ERROR', 'There is no such key.');
      checkReseal(current, key);
      keys.set(key.keyId, copyOf(key));
    } catch (error) {
      this.#unit.fail(error);
      throw error;
    }
  }

  async lockIdentities(
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly string[],
  ): Promise<FoundIdentities> {
    return {
      bindings: this.#bindings(tenantId)
        .filter(isBefore(tmkVersion))
        .filter(({ bindingId }) => !except.includes(bindingId))
        .slice(0, limit)
        .map(copyOf),
      denials: this.#denials(tenantId)
        .filter(isBefore(tmkVersion))
        .filter(({ denialId }) => !except.includes(denialId))
        .slice(0, limit)
        .map(copyOf),
    };
  }

  async resealIdentities({ bindings, denials }: FoundIdentities): Promise<void> {
    try {
      for (const { bindingId, mac, ...own } of bindings) {
        const tables = this.#tablesOf(own);
        const current = requireEarlier(tables.bindings.get(bindingId), mac);
        requireLiveMasterKey(tables, own.tenantId, mac.tmkVersion);
        tables.bindings.set(bindingId, copyOf({ ...current, mac }));
      }
      for (const { denialId, mac, ...own } of denials) {
        const tables = this.#tablesOf(own);
        const current = requireEarlier(tables.denials.get(denialId), mac);
        requireLiveMasterKey(tables, own.tenantId, mac.tmkVersion);
        tables.denials.set(denialId, copyOf({ ...current, mac }));
      }
    } catch (error) {
      this.#unit.fail(error);
      throw error;
    }
  }

  async retire(tenantId: TenantId, tmkVersion: number): Promise<void> {
    requireSystem(this.#unit.scope);
    const { wraps, oldest } = this.#unit.tables();
    const own = [...wraps].filter(([, wrap]) => wrap.tenantId === tenantId);
    const newest = Math.max(...own.map(([, wrap]) => wrap.tmkVersion));
    if ((await this.count(tenantId, tmkVersion)).left > 0 || newest !== tmkVersion)
      throw new KmsError('CONFLICT', 'The master key is still needed.');
    for (const [name, wrap] of own) if (wrap.tmkVersion < tmkVersion) wraps.delete(name);
    oldest.set(tenantId, Math.max(oldest.get(tenantId) ?? 1, tmkVersion));
  }

  #keys(tenantId: TenantId): KeyRecord[] {
    return [...this.#unit.tables().keys.values()].filter((key) => this.#isOf(key, tenantId));
  }

  #bindings(tenantId: TenantId): IdentityBindingRecord[] {
    return [...this.#unit.tables().bindings.values()].filter((binding) => this.#isOf(binding, tenantId));
  }

  #denials(tenantId: TenantId): IdentityDenialRecord[] {
    return [...this.#unit.tables().denials.values()].filter((denial) => this.#isOf(denial, tenantId));
  }

  #isOf(record: { readonly tenantId: TenantId }, tenantId: TenantId): boolean {
    return record.tenantId === tenantId && sees(this.#unit.scope, tenantId);
  }

  #tablesOf({ tenantId }: { readonly tenantId: TenantId }): ReturnType<MemoryUnit['tables']> {
    requireSeen(this.#unit.scope, tenantId);
    const tables = this.#unit.tables();
    requireActiveTenant(tables, tenantId);
    return tables;
  }
}

function isKeyBefore(tmkVersion: number) {
  return (key: KeyRecord) => masterKeysOf(key).some((version) => version < tmkVersion);
}

function isBefore(tmkVersion: number) {
  return ({ mac }: { readonly mac: RecordMac }) => mac.tmkVersion < tmkVersion;
}

function requireEarlier<Stored extends { readonly mac: RecordMac }>(
  current: Stored | undefined,
  { tmkVersion }: RecordMac,
): Stored {
  if (current === undefined || tmkVersion <= current.mac.tmkVersion)
    throw new KmsError('INTERNAL_ERROR', 'The record is not under an earlier master key.');
  return current;
}
