import type { TenantId } from '@qnsp/kms-core';
import { accountOf, type Kms } from '@qnsp/kms-core/internal';
import type { MaybePromise } from '@qnsp/kms-core/ports';

/** How many are held: a few hundred bytes each. */
const MOST_TENANTS = 10_000;

/** The accounts of tenants. A tenant that has one keeps it, so what was read once is right for good. */
export class TenantAccounts {
  readonly #held = new Map<TenantId, string>();

  /** The account of a tenant, without a promise when it is held. */
  of(kms: Kms, tenantId: TenantId): MaybePromise<string> {
    const held = this.#held.get(tenantId);
    return held ?? accountOf(kms, tenantId).then((account) => this.#hold(tenantId, account));
  }

  #hold(tenantId: TenantId, account: string): string {
    const [oldest] = this.#held.keys();
    if (oldest !== undefined && this.#held.size >= MOST_TENANTS) this.#held.delete(oldest);
    this.#held.set(tenantId, account);
    return account;
  }
}
