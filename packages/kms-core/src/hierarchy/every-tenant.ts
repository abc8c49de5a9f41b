import type { TenantRecord } from '../model/tenant.ts';
import type { Store, TenantQuery } from '../ports/store.ts';

const TENANTS_AT_ONCE = 200;

/** Every tenant of the store, oldest first, a page in each unit of work. The service's own is one of them. */
export async function* everyTenant(store: Pick<Store, 'transact'>): AsyncGenerator<TenantRecord, void, void> {
  let after: TenantQuery['after'] = null;
  for (let more = true; more; ) {
    const query: TenantQuery = { limit: TENANTS_AT_ONCE, after };
    const page = await store.transact({ kind: 'system' }, (unit) => unit.tenants.list(query));
    yield* page.items;
    after = page.items.at(-1) ?? null;
    ({ more } = page);
  }
}
