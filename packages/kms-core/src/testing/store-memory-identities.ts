import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { RecordMac } from '../model/key.ts';
import type {
  FoundIdentities,
  IdentityBindingPage,
  IdentityBindingQuery,
  IdentityDenialPage,
  IdentityDenialQuery,
  IdentityNames,
  IdentityRecords,
  RemovedBindingQuery,
  Room,
  RoomForBinding,
} from '../ports/store.ts';
import {
  copyOf,
  type MemoryUnit,
  requireActiveTenant,
  requireLiveMasterKey,
  requireRoomFor,
  requireSeen,
  sees,
} from './store-memory-tables.ts';

export class MemoryIdentities implements IdentityRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async insert(binding: IdentityBindingRecord, room: RoomForBinding = {}): Promise<void> {
    const { bindings } = this.#tablesOf(binding);
    this.#requireLive(binding.tenantId, binding.mac);
    if (bindings.has(binding.bindingId)) throw new KmsError('CONFLICT', 'The id of the binding was used before.');
    const used = this.#all().filter(({ tenantId }) => tenantId === binding.tenantId);
    requireRoomFor(this.#unit, 'identityBindings', used.length, room);
    const removed = this.#removed().filter(({ tenantId }) => tenantId === binding.tenantId);
    requireRoomFor(this.#unit, 'removedIdentityBindings', removed.length, { atMost: room.removedAtMost });
    bindings.set(binding.bindingId, copyOf(binding));
  }

  async get(bindingId: string): Promise<IdentityBindingRecord | undefined> {
    const binding = this.#unit.tables().bindings.get(bindingId);
    return binding !== undefined && this.#counts(binding) ? copyOf(binding) : undefined;
  }

  async list({ limit, after }: IdentityBindingQuery): Promise<IdentityBindingPage> {
    const behind = this.#all()
      .filter((binding) => !after || newestFirst(after, binding) < 0)
      .sort(newestFirst);
    return { items: behind.slice(0, limit).map(copyOf), more: behind.length > limit };
  }

  async remove({ bindingId, removedAt, mac }: IdentityBindingRecord): Promise<void> {
    const { bindings } = this.#unit.tables();
    const binding = bindings.get(bindingId);
    if (binding === undefined || !this.#counts(binding))
      throw new KmsError('NOT_FOUND', 'There is no identity binding with this id.');
    this.#requireLive(binding.tenantId, mac);
    bindings.set(bindingId, copyOf({ ...binding, removedAt, mac }));
  }

  async insertDenial(denial: IdentityDenialRecord, room: Room = {}): Promise<void> {
    const { denials } = this.#tablesOf(denial);
    this.#requireLive(denial.tenantId, denial.mac);
    if (denials.has(denial.denialId)) throw new KmsError('CONFLICT', 'The id of the denial was used before.');
    const used = this.#denials().filter(({ tenantId }) => tenantId === denial.tenantId);
    requireRoomFor(this.#unit, 'identityDenials', used.length, room);
    denials.set(denial.denialId, copyOf(denial));
  }

  async getDenial(denialId: string): Promise<IdentityDenialRecord | undefined> {
    const denial = this.#denials().find((each) => each.denialId === denialId);
    return denial && copyOf(denial);
  }

  async listDenials({ limit, after }: IdentityDenialQuery): Promise<IdentityDenialPage> {
    const behind = this.#denials()
      .filter((denial) => denial.endsAt >= this.#unit.now && (!after || newestDenialFirst(after, denial) < 0))
      .sort(newestDenialFirst);
    return { items: behind.slice(0, limit).map(copyOf), more: behind.length > limit };
  }

  async liftDenial({ denialId, fields, mac }: IdentityDenialRecord): Promise<void> {
    const denial = await this.getDenial(denialId);
    if (denial === undefined) throw new KmsError('NOT_FOUND', 'There is no denial with this id.');
    this.#requireLive(denial.tenantId, mac);
    this.#unit.tables().denials.set(denialId, copyOf({ ...denial, fields, mac }));
  }

  async removeEndedDenials(): Promise<void> {
    const { denials } = this.#unit.tables();
    for (const denial of this.#denials()) if (denial.endsAt < this.#unit.now) denials.delete(denial.denialId);
  }

  async find(names: IdentityNames, limit: number): Promise<FoundIdentities> {
    return {
      bindings: this.#all().filter(isOneOf(names.bindings)).slice(0, limit).map(copyOf),
      denials: this.#denials().filter(isOneOf(names.denials)).map(copyOf),
    };
  }

  async findRemoved({
    names,
    removedAfter,
    limit,
    ofTenant,
  }: RemovedBindingQuery): Promise<readonly IdentityBindingRecord[]> {
    const found = this.#removed()
      .filter(({ removedAt }) => removedAt !== null && removedAt > removedAfter)
      .filter(isOneOf(names))
      .sort((a, b) => (b.removedAt?.getTime() ?? 0) - (a.removedAt?.getTime() ?? 0));
    const together = Map.groupBy(found, ({ tenantId, foundBy }) => `${tenantId} ${hex(foundBy)}`).values();
    return [...together]
      .flatMap((records) => records.slice(0, ofTenant))
      .slice(0, limit)
      .map(copyOf);
  }

  #requireLive(tenantId: TenantId, { tmkVersion }: RecordMac): void {
    try {
      requireLiveMasterKey(this.#unit.tables(), tenantId, tmkVersion);
    } catch (error) {
      this.#unit.fail(error);
      throw error;
    }
  }

  #removed(): IdentityBindingRecord[] {
    return [...this.#unit.tables().bindings.values()].filter(
      ({ tenantId, removedAt }) => removedAt !== null && sees(this.#unit.scope, tenantId),
    );
  }

  #all(): IdentityBindingRecord[] {
    return [...this.#unit.tables().bindings.values()].filter((binding) => this.#counts(binding));
  }

  #denials(): IdentityDenialRecord[] {
    return [...this.#unit.tables().denials.values()].filter(({ tenantId }) => sees(this.#unit.scope, tenantId));
  }

  #counts({ tenantId, removedAt }: IdentityBindingRecord): boolean {
    return removedAt === null && sees(this.#unit.scope, tenantId);
  }

  #tablesOf({ tenantId }: { readonly tenantId: string }): ReturnType<MemoryUnit['tables']> {
    requireSeen(this.#unit.scope, tenantId);
    const tables = this.#unit.tables();
    requireActiveTenant(tables, tenantId);
    return tables;
  }
}

function isOneOf(names: readonly Uint8Array[]): (record: { readonly foundBy: Uint8Array }) => boolean {
  const known = new Set(names.map(hex));
  return ({ foundBy }) => known.has(hex(foundBy));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

type Place = NonNullable<IdentityBindingQuery['after']>;

function newestFirst(a: Place, b: Place): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || lastFirst(a.bindingId, b.bindingId);
}

type DenialPlace = NonNullable<IdentityDenialQuery['after']>;

function newestDenialFirst(a: DenialPlace, b: DenialPlace): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || lastFirst(a.denialId, b.denialId);
}

function lastFirst(a: string, b: string): number {
  return a < b ? 1 : a > b ? -1 : 0;
}
