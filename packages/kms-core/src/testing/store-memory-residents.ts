import { KmsError } from '../errors/kms-error.ts';
import { newId } from '../model/identifiers.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { ResidentClaim, ResidentClaims, ResidentVersion } from '../ports/store.ts';
import { copyOf, type MemoryUnit, requireSeen, requireSystem, sees } from './store-memory-tables.ts';

export class MemoryResidents implements ResidentClaims {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async claim({ providerId, name, kind }: Omit<ResidentClaim, 'claimedAt' | 'mark'>): Promise<ResidentClaim> {
    requireSeen(this.#unit.scope, name.tenantId);
    const { claims } = this.#unit.tables();
    if (claims.has(claimName(providerId, name)))
      throw new KmsError('CONFLICT', 'This version of the key is being made.');
    const claim = { providerId, name, kind, claimedAt: this.#unit.now, mark: newId() };
    claims.set(claimName(providerId, name), copyOf(claim));
    return copyOf(claim);
  }

  async renew(claim: ResidentClaim): Promise<ResidentClaim | undefined> {
    return (await this.release(claim)) ? this.claim(claim) : undefined;
  }

  async release({ providerId, name, mark }: ResidentClaim): Promise<boolean> {
    const { claims } = this.#unit.tables();
    const own = claimName(providerId, name);
    return sees(this.#unit.scope, name.tenantId) && claims.get(own)?.mark === mark && claims.delete(own);
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
