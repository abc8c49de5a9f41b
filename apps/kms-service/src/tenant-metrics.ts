import type { TenantId } from '@qnsp/kms-core';
import { Counter, type Registry } from 'prom-client';

/** Those that call first; series for any number of tenants would be more than Prometheus bears. */
const MOST_TENANTS = 1000;
/** What stands for all further ones. */
const OTHERS = 'others';

/** Counts the requests of each tenant, of so many tenants; those of all others are counted together. */
export class TenantMetrics {
  readonly #tenants = new Map<string, Map<number, number>>();
  readonly #most: number;

  constructor(registry: Registry, most = MOST_TENANTS) {
    this.#most = most;
    const requests: Counter = new Counter({
      name: 'kms_tenant_requests_total',
      help: 'Requests by tenant and status; those of tenants beyond the first thousand of a process together.',
      labelNames: ['tenant', 'status'],
      registers: [registry],
      collect: () => {
        requests.reset();
        for (const [tenant, byStatus] of this.#tenants)
          for (const [status, count] of byStatus) requests.inc({ tenant, status }, count);
      },
    });
  }

  observe(tenantId: TenantId, status: number): void {
    const byStatus = this.#tenants.get(tenantId) ?? this.#add(tenantId);
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }

  #add(tenantId: TenantId): Map<number, number> {
    const name = this.#tenants.size < this.#most ? tenantId : OTHERS;
    const byStatus = this.#tenants.get(name) ?? new Map<number, number>();
    this.#tenants.set(name, byStatus);
    return byStatus;
  }
}
