import { KmsError } from '../errors/kms-error.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { ResidentClaim, ResidentClaims, ResidentVersion } from '../ports/store.ts';
import { copyOf, type MemoryUnit, requireSeen, requireSystem, sees } from './store-memory-tables.ts';

export class MemoryResidents implements ResidentClaims {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async claim(claim: Omit<ResidentClaim, 'claimedAt'>): Promise<void> {
    requireSeen(this.#unit.scope, claim.name.tenantId);
    const { claims } = this.#unit.tables();
    if (claims.has(claimName(claim.providerId, claim.name)))
      throw new KmsError('CONFLICT', 'This version of the key is being made.');
    claims.set(claimName(claim.providerId, claim.name), copyOf({ ...claim, claimedAt: this.#unit.now }));
  }

  async release(providerId: string, name: ResidentKeyName): Promise<boolean> {
    const { claims } = this.#unit.tables();
    return sees(this.#unit.scope, name.tenantId) && claims.delete(claimName(providerId, name));
  }

  async claims(providerId: string): Promise<readonly ResidentClaim[]> {
    requireSystem(this.#unit.scope);
    return [...this.#unit.tables().claims.values()].filter((claim) => claim.providerId === providerId).map(copyOf);
  }

  async versions(providerId: string): Promise<readonly ResidentVersion[]> {
    requireSystem(this.#unit.scope);
    const { keys, tenants } = this.#unit.tables();
    return [...keys.values()]
      .filter((key) => tenants.get(key.tenantId)?.state === 'active')
      .flatMap(({ tenantId, keyId, versions }) =>
        versions.flatMap(({ version, provider, material, state }) =>
          material.kind === 'resident' && provider === providerId
            ? [copyOf({ name: { tenantId, keyId, version }, handle: material.handle, state })]
            : [],
        ),
      );
  }
}

function claimName(providerId: string, { keyId, version }: ResidentKeyName): string {
  return `${providerId}:${keyId}:${version}`;
}
