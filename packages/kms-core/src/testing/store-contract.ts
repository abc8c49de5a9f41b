import { afterAll, beforeAll, describe } from 'vitest';
import type { Store } from '../ports/store.ts';
import { budgetRules } from './store-contract-budgets.ts';
import { idempotencyRules } from './store-contract-idempotency.ts';
import { invariantRules } from './store-contract-invariants.ts';
import { isolationRules } from './store-contract-isolation.ts';
import { keyListRules } from './store-contract-key-lists.ts';
import { keyRules } from './store-contract-keys.ts';
import { residentRules } from './store-contract-residents.ts';
import { rootRules } from './store-contract-roots.ts';
import { scheduleRules } from './store-contract-schedules.ts';
import { tenantRules } from './store-contract-tenants.ts';
import { tokenRules } from './store-contract-tokens.ts';
import { unitRules } from './store-contract-units.ts';

/**
 * What every store owes, as tests. The store is opened once; each test works on tenants of its own, so it may hold
 * anything else.
 *
 * @example
 * storeContract('in-memory store', async () => ({ store: inMemoryStore(), close: async () => {} }));
 */
export function storeContract(name: string, open: () => Promise<{ store: Store; close(): Promise<void> }>): void {
  describe(name, () => {
    let opened: { store: Store; close(): Promise<void> } | undefined;

    beforeAll(async () => {
      opened = await open();
    });
    afterAll(async () => {
      await opened?.close();
    });

    const store = (): Store => {
      if (opened === undefined) throw new Error('the store is not open');
      return opened.store;
    };

    describe('unit of work', () => unitRules(store));
    describe('keys', () => keyRules(store));
    describe('lists of keys', () => keyListRules(store));
    describe('schedules', () => scheduleRules(store));
    describe('budgets', () => budgetRules(store));
    describe('tenant isolation', () => isolationRules(store));
    describe('invariants', () => invariantRules(store));
    describe('idempotency', () => idempotencyRules(store));
    describe('tokens', () => tokenRules(store));
    describe('tenants', () => tenantRules(store));
    describe('roots', () => rootRules(store));
    describe('resident keys', () => residentRules(store));
  });
}
