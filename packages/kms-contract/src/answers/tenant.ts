import { z } from 'zod';
import { answeredInstant } from '../fields/instant.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { EXAMPLE } from './examples.ts';

function answeredQuota(what: string) {
  return z.number().nullable().describe(`${what} 0 is any number; \`null\`: as for all.`);
}

/** A tenant as it is shown. */
export const tenantSchema = component(
  'Tenant',
  z.object({
    tenantId: onTheWire(z.string(), { type: 'string', format: 'uuid' }),
    name: z.string(),
    state: z.enum(['active', 'shredded']),
    createdAt: answeredInstant,
    limits: z.object({
      rate: z
        .object({
          unitsPerSecond: z.number().describe('0 is no limit.'),
          burst: z.number().describe('How many units of cost it may take at once after a pause.'),
        })
        .nullable()
        .describe('How much it may take in place of what holds for all tenants; `null`: as for all.'),
      keys: answeredQuota('How many keys it may have that are not destroyed.'),
      keyVersions: answeredQuota('How many versions each of its keys may have.'),
      tokens: answeredQuota('How many API tokens that were neither revoked nor replaced, and have not expired.'),
      identityBindings: answeredQuota('How many identity bindings.'),
      operationsPerMonth: answeredQuota('How many operations it may do in a month, in UTC.'),
      keptAnswers: answeredQuota('How many answers are kept for it under idempotency keys, each for a day.'),
      destroyGuardDays: z
        .number()
        .nullable()
        .describe(
          'For how many days after its last use a key is destroyed only by who acknowledges that use; 0 is no guard, `null`: as for all.',
        ),
      requireApproval: z
        .number()
        .nullable()
        .describe('How many others have to approve what cannot be undone; 0 is nobody, `null`: as for all.'),
    }),
  }),
);
export const EXAMPLE_LIMITS = {
  rate: null,
  keys: null,
  keyVersions: null,
  tokens: null,
  identityBindings: null,
  operationsPerMonth: null,
  keptAnswers: null,
  destroyGuardDays: null,
  requireApproval: null,
};
export const EXAMPLE_TENANT = {
  tenantId: EXAMPLE.tenantId,
  name: 'Example Ltd',
  state: 'active',
  createdAt: EXAMPLE.instant,
  limits: EXAMPLE_LIMITS,
};
/** A tenant with its master key. */
export const tenantDetails = component(
  'TenantDetails',
  tenantSchema.extend({
    masterKey: z
      .object({
        version: z.number().describe('The version under which everything new is sealed.'),
        oldestVersion: z
          .number()
          .describe('The oldest version that there still is; an earlier one goes when nothing is under it.'),
        createdAt: answeredInstant.describe('When `version` was made.'),
        resealing: z
          .object({
            done: z.number().describe('How many of them are under `version`.'),
            total: z.number().describe('How many keys, identity bindings and denials the tenant has.'),
          })
          .describe('How far everything is sealed again under `version`.'),
      })
      .nullable()
      .describe('`null` for a tenant that was shredded.'),
  }),
);
export const EXAMPLE_MASTER_KEY = {
  version: 2,
  oldestVersion: 1,
  createdAt: EXAMPLE.instant,
  resealing: { done: 120, total: 300 },
};
