import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings } from '../answers/key.ts';
import { answeredInstant } from '../fields/instant.ts';
import { pageLimit } from '../fields/query.ts';
import { line, urlSafe } from '../fields/text.ts';
import { newTenantId } from '../fields/uuid.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const tenantSchema = component(
  'Tenant',
  z.object({
    tenantId: onTheWire(z.string(), { type: 'string', format: 'uuid' }),
    name: z.string(),
    state: z.enum(['active', 'shredded']),
    createdAt: answeredInstant,
  }),
);
const EXAMPLE_TENANT = { tenantId: EXAMPLE.tenantId, name: 'Example Ltd', state: 'active', createdAt: EXAMPLE.instant };

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
    errors: ['KEY_STATE_INVALID', 'HSM_UNAVAILABLE'],
    mutating: true,
    example: {
      body: { confirmation: `SHRED-${EXAMPLE.tenantId}`, reason: 'The contract ended.' },
      answer: { ...EXAMPLE_TENANT, state: 'shredded' },
    },
  }),
});
