import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import { KmsError } from '../errors/kms-error.ts';
import type {
  FoundIdentities,
  IdentityBindingPage,
  IdentityBindingQuery,
  IdentityNames,
  IdentityRecords,
} from '../ports/store.ts';
import { copyOf, type MemoryUnit, requireActiveTenant, requireSeen, sees } from './store-memory-tables.ts';

export class MemoryIdentities implements IdentityRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async insert(binding: IdentityBindingRecord): Promise<void> {
    const { bindings } = this.#tablesOf(binding);
    if (bindings.has(binding.bindingId)) throw new KmsError('CONFLICT', 'The id of the binding was used before.');
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

  async count(): Promise<{ bindings: number; denials: number }> {
    return { bindings: this.#all().length, denials: this.#denials().length };
  }

  async remove({ bindingId, removedAt, mac }: IdentityBindingRecord): Promise<void> {
    const { bindings } = this.#unit.tables();
    const binding = bindings.get(bindingId);
    if (binding === undefined || !this.#counts(binding))
      throw new KmsError('NOT_FOUND', 'There is no identity binding with this id.');
    bindings.set(bindingId, copyOf({ ...binding, removedAt, mac }));
  }

  async insertDenial(denial: IdentityDenialRecord): Promise<void> {
    const { denials } = this.#tablesOf(denial);
    if (denials.has(denial.denialId)) throw new KmsError('CONFLICT', 'The id of the denial was used before.');
    denials.set(denial.denialId, copyOf(denial));
  }

  async removeEndedDenials(): Promise<void> {
    const { denials } = this.#unit.tables();
    for (const denial of this.#denials()) if (denial.endsAt < this.#unit.now) denials.delete(denial.denialId);
  }

  async find(names: IdentityNames, limit: number): Promise<FoundIdentities> {
    const isOf = (wanted: readonly Uint8Array[]) => {
      const known = new Set(wanted.map(hex));
      return ({ foundBy }: { readonly foundBy: Uint8Array }) => known.has(hex(foundBy));
    };
    return {
      bindings: this.#all().filter(isOf(names.bindings)).slice(0, limit).map(copyOf),
      denials: this.#denials().filter(isOf(names.denials)).map(copyOf),
    };
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

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

type Place = NonNullable<IdentityBindingQuery['after']>;

function newestFirst(a: Place, b: Place): number {
  return (
    b.createdAt.getTime() - a.createdAt.getTime() ||
    (a.bindingId < b.bindingId ? 1 : a.bindingId > b.bindingId ? -1 : 0)
  );
}
