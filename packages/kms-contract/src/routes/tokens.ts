import { PERMISSIONS, ROLES } from '@qnsp/kms-core';
import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings } from '../answers/key.ts';
import { answeredInstant, instant } from '../fields/instant.ts';
import { pageLimit } from '../fields/query.ts';
import { line, urlSafe } from '../fields/text.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const answeredUuid = onTheWire(z.string(), { type: 'string', format: 'uuid' });

const tokenFields = {
  tokenId: answeredUuid,
  tenantId: answeredUuid.nullable().describe('`null` for a platform-wide credential.'),
  name: z.string(),
  role: z.enum(ROLES).nullable(),
  permissions: z.array(z.enum(PERMISSIONS)),
  createdAt: answeredInstant,
  expiresAt: answeredInstant.nullable(),
  revokedAt: answeredInstant.nullable(),
};
const tokenSchema = component('ApiToken', z.object(tokenFields));

const shared = { tag: 'API tokens', auth: 'bearer' } as const;
const EXAMPLE_TOKEN = {
  tokenId: EXAMPLE.tokenId,
  tenantId: EXAMPLE.tenantId,
  name: 'orders-service',
  role: 'key_user',
  permissions: [],
  createdAt: EXAMPLE.instant,
  expiresAt: '2050-01-01T00:00:00.000Z',
  revokedAt: null,
};

const createBody = z.strictObject({
  tenantId,
  name: line(LIMITS.nameCharacters),
  role: z.enum(ROLES).exactOptional(),
  permissions: z
    .array(z.enum(PERMISSIONS))
    .max(LIMITS.tokenPermissions)
    .exactOptional()
    .describe('Permissions beyond those of the role.'),
  expiresAt: instant.exactOptional().describe('In the future; if absent, the token never expires.'),
});

export const tokenRoutes = group({
  createToken: defineRoute({
    ...shared,
    operationId: 'createToken',
    method: 'POST',
    path: `${BASE_PATH}/tokens`,
    summary: 'Create an API token',
    description:
      'This answer is the only one that ever shows the token: the same call repeated with its `Idempotency-Key` is a `CONFLICT` that names ' +
      'the token in `details.tokenId`. It can have no permission that its creator does not have.',
    body: createBody,
    check: ({ role, permissions = [] }) =>
      role === undefined && permissions.length === 0
        ? [{ path: 'role', reason: 'a role or at least one permission is needed' }]
        : [],
    response: component(
      'CreatedApiToken',
      z.object({ ...tokenFields, token: z.string().describe('The token itself; it is never shown again.') }),
    ),
    status: 201,
    errors: ['QUOTA_EXCEEDED'],
    mutating: true,
    example: {
      body: { name: 'orders-service', role: 'key_user', expiresAt: '2050-01-01T00:00:00Z' },
      answer: { ...EXAMPLE_TOKEN, token: 'qnsp_pqc_example' },
    },
  }),
  listTokens: defineRoute({
    ...shared,
    operationId: 'listTokens',
    method: 'GET',
    path: `${BASE_PATH}/tokens`,
    summary: 'List the API tokens of the tenant',
    description: 'Newest first. ',
    query: z.strictObject({
      tenantId,
      limit: pageLimit.exactOptional(),
      cursor: urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.'),
    }),
    response: component(
      'ApiTokenPage',
      z.object({
        items: z.array(tokenSchema),
        nextCursor: z.string().nullable().describe('Where the next page starts; `null` on the last page.'),
        warnings: listWarnings,
      }),
    ),
    list: true,
    status: 200,
    errors: [],
    mutating: false,
    example: { query: { limit: '100' }, answer: { items: [EXAMPLE_TOKEN], nextCursor: null } },
  }),
  revokeToken: defineRoute({
    ...shared,
    operationId: 'revokeToken',
    method: 'POST',
    path: `${BASE_PATH}/tokens/{tokenId}/revoke`,
    also: [{ method: 'DELETE', path: `${BASE_PATH}/tokens/{tokenId}` }],
    summary: 'Revoke an API token',
    description: 'It stops working immediately and permanently. `NOT_FOUND` if there is no live token with this id.',
    response: component('RevokedApiToken', z.object({ tokenId: answeredUuid, revoked: z.literal(true) })),
    status: 200,
    errors: [],
    mutating: true,
    example: { body: {}, answer: { tokenId: EXAMPLE.tokenId, revoked: true } },
  }),
});
