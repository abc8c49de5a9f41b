import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings } from '../answers/key.ts';
import { EXAMPLE_LIMITS, EXAMPLE_MASTER_KEY, EXAMPLE_TENANT, tenantDetails, tenantSchema } from '../answers/tenant.ts';
import { pageLimit } from '../fields/query.ts';
import { line, urlSafe } from '../fields/text.ts';
import { newTenantId } from '../fields/uuid.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const { tenantRate, quota, operationsPerMonth, destroyGuardDays, requireApproval } = LIMITS;

function usageOf(what: string) {
  return z.object({ used: z.number(), maximum: z.number().nullable() }).describe(what);
}

function askedQuotaIn({ minimum, maximum }: { readonly minimum: number; readonly maximum: number }) {
  return z
    .int()
    .min(minimum)
    .max(maximum)
    .nullable()
    .exactOptional()
    .describe('0 is any number; `null`: as for all tenants.');
}

const askedQuota = askedQuotaIn(quota);

const EXAMPLE_RATE = { unitsPerSecond: 10_000, burst: 20_000 };

export const tenantRoutes = group({
  createTenant: defineRoute({
    operationId: 'createTenant',
    method: 'POST',
    path: `${BASE_PATH}/tenants`,
    tag: 'Tenants',
    summary: 'Create a tenant',
    description: 'Creates the tenant and its master key. For platform credentials, which need not name a tenant here.',
    auth: 'bearer',
    scope: 'platform',
    body: z.strictObject({
      tenantId: newTenantId.exactOptional().describe('The id of the new tenant (default: a new one).'),
      name: line(LIMITS.nameCharacters),
    }),
    response: tenantSchema,
    status: 201,
    errors: ['CONFLICT', 'HSM_UNAVAILABLE'],
    mutating: true,
    example: { body: { name: 'Example Ltd' }, answer: EXAMPLE_TENANT },
  }),
  listTenants: defineRoute({
    operationId: 'listTenants',
    method: 'GET',
    path: `${BASE_PATH}/tenants`,
    tag: 'Tenants',
    summary: 'List the tenants',
    description: 'Oldest first.',
    auth: 'bearer',
    scope: 'platform',
    query: z.strictObject({
      tenantId,
      limit: pageLimit.exactOptional(),
      cursor: urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.'),
    }),
    response: component(
      'TenantPage',
      z.object({
        items: z.array(tenantSchema),
        nextCursor: z.string().nullable().describe('Where the next page starts; `null` on the last page.'),
        warnings: listWarnings,
      }),
    ),
    list: true,
    status: 200,
    errors: [],
    mutating: false,
    example: { query: { limit: '100' }, answer: { items: [EXAMPLE_TENANT], nextCursor: null } },
  }),
  getTenant: defineRoute({
    operationId: 'getTenant',
    method: 'GET',
    path: `${BASE_PATH}/tenants/{tenantId}`,
    tag: 'Tenants',
    summary: 'Show the tenant and its master key',
    auth: 'bearer',
    query: z.strictObject({ tenantId }),
    response: tenantDetails,
    status: 200,
    errors: ['NOT_FOUND'],
    mutating: false,
    example: { answer: { ...EXAMPLE_TENANT, masterKey: EXAMPLE_MASTER_KEY } },
  }),
  rotateMasterKey: defineRoute({
    operationId: 'rotateMasterKey',
    method: 'POST',
    path: `${BASE_PATH}/tenants/{tenantId}/rotate-master-key`,
    tag: 'Tenants',
    summary: 'Rotate the master key of the tenant',
    description:
      'Everything new is sealed under the new version at once. The rest is sealed again in the background, after which the earlier version is destroyed; until then both open what is under them, and `masterKey` says how far that has got.',
    auth: 'bearer',
    body: z.strictObject({ tenantId }),
    response: tenantDetails,
    status: 200,
    errors: ['NOT_FOUND', 'CONFLICT', 'HSM_UNAVAILABLE', 'APPROVAL_REQUIRED'],
    mutating: true,
    example: {
      body: {},
      answer: { ...EXAMPLE_TENANT, masterKey: { ...EXAMPLE_MASTER_KEY, resealing: { done: 0, total: 300 } } },
    },
  }),
  updateTenant: defineRoute({
    operationId: 'updateTenant',
    method: 'PATCH',
    path: `${BASE_PATH}/tenants/{tenantId}`,
    tag: 'Tenants',
    summary: 'Change the limits of a tenant',
    description: 'For platform credentials. What is left out stays as it is. Every node keeps to it within a second.',
    auth: 'bearer',
    scope: 'platform',
    body: z.strictObject({
      tenantId,
      limits: z
        .strictObject({
          rate: z
            .strictObject({
              unitsPerSecond: z
                .int()
                .min(tenantRate.minimum)
                .max(tenantRate.maximum)
                .describe('How many units of cost it may take in a second; 0 is no limit.'),
              burst: z
                .int()
                .min(1)
                .max(tenantRate.maximum)
                .exactOptional()
                .describe('How many at once after a pause (default: as many as in a second).'),
            })
            .nullable()
            .exactOptional()
            .describe('`null`: as for all tenants.'),
          keys: askedQuota,
          keyVersions: askedQuota,
          tokens: askedQuota,
          identityBindings: askedQuota,
          operationsPerMonth: askedQuotaIn(operationsPerMonth),
          keptAnswers: askedQuota,
          destroyGuardDays: z
            .int()
            .min(destroyGuardDays.minimum)
            .max(destroyGuardDays.maximum)
            .nullable()
            .exactOptional()
            .describe('In days; 0 is no guard, `null`: as for all tenants.'),
          requireApproval: z
            .int()
            .min(requireApproval.minimum)
            .max(requireApproval.maximum)
            .nullable()
            .exactOptional()
            .describe('How many; 0 is nobody, `null`: as for all tenants. To lower it takes as many approvals.'),
        })
        .exactOptional(),
    }),
    response: tenantSchema,
    status: 200,
    errors: ['NOT_FOUND', 'CONFLICT', 'APPROVAL_REQUIRED'],
    mutating: true,
    example: {
      body: { limits: { rate: EXAMPLE_RATE, keys: 500_000 } },
      answer: { ...EXAMPLE_TENANT, limits: { ...EXAMPLE_LIMITS, rate: EXAMPLE_RATE, keys: 500_000 } },
    },
  }),
  getTenantUsage: defineRoute({
    operationId: 'getTenantUsage',
    method: 'GET',
    path: `${BASE_PATH}/tenants/{tenantId}/usage`,
    tag: 'Tenants',
    summary: 'What the tenant uses of its limits',
    description: 'A `maximum` of `null` is any number.',
    auth: 'bearer',
    query: z.strictObject({ tenantId }),
    response: component(
      'TenantUsage',
      z.object({
        tenantId: onTheWire(z.string(), { type: 'string', format: 'uuid' }),
        rate: z
          .object({ unitsPerSecond: z.number(), burst: z.number() })
          .nullable()
          .describe('How many units of cost it may take in a second, and at once after a pause; `null`: any number.'),
        keys: usageOf('Keys that are not destroyed.'),
        keyVersions: z
          .object({ maximum: z.number().nullable() })
          .describe('Of each of its keys, whose `currentVersion` says how many it has.'),
        tokens: usageOf('API tokens that were neither revoked nor replaced, and have not expired.'),
        identityBindings: usageOf('Identity bindings.'),
        operationsThisMonth: z
          .number()
          .describe(
            'Operations that used a key since the first of the month, in UTC; the newest ones of other nodes may be missing.',
          ),
        operationsPerMonth: z.object({ maximum: z.number().nullable() }).describe('How many those may be.'),
        keptAnswers: usageOf('Answers that are kept under idempotency keys, each for a day.'),
      }),
    ),
    status: 200,
    errors: ['NOT_FOUND'],
    mutating: false,
    example: {
      answer: {
        tenantId: EXAMPLE.tenantId,
        rate: EXAMPLE_RATE,
        keys: { used: 1200, maximum: 100_000 },
        keyVersions: { maximum: 1000 },
        tokens: { used: 12, maximum: 10_000 },
        identityBindings: { used: 3, maximum: 1000 },
        operationsThisMonth: 52_000,
        operationsPerMonth: { maximum: null },
        keptAnswers: { used: 1500, maximum: 100_000 },
      },
    },
  }),
  shredTenant: defineRoute({
    operationId: 'shredTenant',
    method: 'POST',
    path: `${BASE_PATH}/tenants/{tenantId}/crypto-shred`,
    tag: 'Tenants',
    summary: 'Destroy a tenant’s master key and with it every key',
    description:
      'Immediately and irrevocably. The records of the keys stay for audit; nothing encrypted under them can be read again.',
    auth: 'bearer',
    body: z.strictObject({
      tenantId,
      confirmation: z.string().max(64).describe('`SHRED-` and the id of the tenant.'),
      reason: line(LIMITS.reasonCharacters).describe('The reason, for the audit trail.'),
    }),
    response: tenantSchema,
    status: 200,
    errors: ['KEY_STATE_INVALID', 'HSM_UNAVAILABLE', 'APPROVAL_REQUIRED'],
    mutating: true,
    example: {
      body: { confirmation: `SHRED-${EXAMPLE.tenantId}`, reason: 'The contract ended.' },
      answer: { ...EXAMPLE_TENANT, state: 'shredded' },
    },
  }),
});
