import type { Store } from '../ports/store.ts';
import { type Contract, contractOf } from './contract.ts';
import { approvalRules } from './store-contract-approvals.ts';
import { budgetRules } from './store-contract-budgets.ts';
import { identityRules } from './store-contract-identities.ts';
import { idempotencyRules } from './store-contract-idempotency.ts';
import { invariantRules } from './store-contract-invariants.ts';
import { isolationRules } from './store-contract-isolation.ts';
import { keyListRules } from './store-contract-key-lists.ts';
import { keyUseRules } from './store-contract-key-uses.ts';
import { keyRules } from './store-contract-keys.ts';
import { lineageRules } from './store-contract-lineages.ts';
import { migrationRules } from './store-contract-migrations.ts';
import { residentRules } from './store-contract-residents.ts';
import { roomRules } from './store-contract-room.ts';
import { rootRules } from './store-contract-roots.ts';
import { scheduleRules } from './store-contract-schedules.ts';
import { sealRules } from './store-contract-seals.ts';
import { tenantRules } from './store-contract-tenants.ts';
import { tokenRules } from './store-contract-tokens.ts';
import { unitRules } from './store-contract-units.ts';

/**
 * What every store owes. The store is opened once; each test works on tenants of its own, so it may hold
 * anything else.
 *
 * @example
 * import { brokenRules, inMemoryStore, storeContract } from '@qnsp/kms-core/testing';
 * const contract = storeContract('my store', async () => ({ store: inMemoryStore(), close: async () => {} }));
 * console.log(await brokenRules(contract)); // []
 */
export function storeContract(name: string, open: () => Promise<{ store: Store; close(): Promise<void> }>): Contract {
  return contractOf(name, open, (rules, opened) => {
    const { describe } = rules;
    const store = (): Store => opened().store;
    describe('unit of work', () => unitRules(rules, store));
    describe('keys', () => keyRules(rules, store));
    describe('lists of keys', () => keyListRules(rules, store));
    describe('schedules', () => scheduleRules(rules, store));
    describe('uses of keys', () => keyUseRules(rules, store));
    describe('budgets', () => budgetRules(rules, store));
    describe('tenant isolation', () => isolationRules(rules, store));
    describe('invariants', () => invariantRules(rules, store));
    describe('idempotency', () => idempotencyRules(rules, store));
    describe('tokens', () => tokenRules(rules, store));
    describe('lineages of tokens', () => lineageRules(rules, store));
    describe('identities', () => identityRules(rules, store));
    describe('approvals', () => approvalRules(rules, store));
    describe('room', () => roomRules(rules, store));
    describe('tenants', () => tenantRules(rules, store));
    describe('seals', () => sealRules(rules, store));
    describe('roots', () => rootRules(rules, store));
    describe('migrations', () => migrationRules(rules, store));
    describe('resident keys', () => residentRules(rules, store));
  });
}
