import { PERMISSIONS, ROLES } from '@qnsp/kms-core';
import { isAddressBlock } from '@qnsp/kms-core/internal';
import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings } from '../answers/key.ts';
import { answeredInstant, instant } from '../fields/instant.ts';
import { pageLimit } from '../fields/query.ts';
import { line, urlSafe } from '../fields/text.ts';
import { uuid } from '../fields/uuid.ts';
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
  purpose: z.string().nullable(),
  keys: z.array(answeredUuid).nullable().describe('The only keys that it is for; `null` is every key.'),
  addresses: z
    .array(z.string())
    .nullable()
    .describe('The only addresses that it is taken from; `null` is every address.'),
  rate: z
    .number()
    .nullable()
    .describe('How many units of cost it may take in a second; `null` is as many as the tenant.'),
  creator: z.string().nullable().describe('Who created it; `null` for a token from before that was recorded.'),
  parentTokenId: answeredUuid
    .nullable()
    .describe('The token that created it; of those that replaced one another the first.'),
  replaces: answeredUuid.nullable().describe('The token that it replaced when that was rotated.'),
  createdAt: answeredInstant,
  expiresAt: answeredInstant.nullable(),
  overlapEndsAt: answeredInstant
    .nullable()
    .describe('Until when it is taken, where it was rotated and another one replaced it.'),
  revokedAt: answeredInstant.nullable(),
  lastUsedAt: answeredInstant
    .nullable()
    .describe('The hour in which it was last used, which is written down a while later; `null` where it was not.'),
};
const tokenSchema = component('ApiToken', z.object(tokenFields));

const shared = { tag: 'API tokens', auth: 'bearer' } as const;
const EXAMPLE_TOKEN = {
  tokenId: EXAMPLE.tokenId,
  tenantId: EXAMPLE.tenantId,
  name: 'orders-service',
  role: 'key_user',
  permissions: [],
  purpose: 'encrypts the letters of orders',
  keys: [EXAMPLE.keyId],
  addresses: ['192.0.2.0/24'],
  rate: 500,
  creator: EXAMPLE.otherTokenId,
  parentTokenId: EXAMPLE.otherTokenId,
  replaces: null,
  createdAt: EXAMPLE.instant,
  expiresAt: '2050-01-01T00:00:00.000Z',
  overlapEndsAt: null,
  revokedAt: null,
  lastUsedAt: null,
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
  expiresAt: instant
    .exactOptional()
    .describe('In the future, and no later than that of the credential; default: that of the credential.'),
  purpose: line(LIMITS.reasonCharacters).exactOptional().describe('What it is for.'),
  keys: z
    .array(uuid)
    .min(1)
    .max(LIMITS.tokenKeys)
    .exactOptional()
    .describe('The only keys that it is for: then it can do nothing else, but create tokens for these keys.'),
  addresses: z
    .array(z.string().refine(isAddressBlock, 'must be an IP address or a CIDR block'))
    .min(1)
    .max(LIMITS.tokenAddresses)
    .exactOptional()
    .describe('The only addresses, and CIDR blocks of them, that it is taken from.'),
  rate: z
    .int()
    .min(LIMITS.tokenRate.minimum)
    .max(LIMITS.tokenRate.maximum)
    .exactOptional()
    .describe('How many units of cost it may take in a second.'),
  awsCredentials: z
    .boolean()
    .exactOptional()
    .describe('Whether requests can be signed with it (AWS Signature Version 4); default: `false`.'),
});

const created = component(
  'CreatedApiToken',
  z.object({
    ...tokenFields,
    token: z.string().describe('The token itself; it is never shown again.'),
    awsCredentials: z
      .object({ accessKeyId: z.string(), secretAccessKey: z.string() })
      .exactOptional()
      .describe('What signs requests in its place, for clients of AWS KMS; never shown again.'),
  }),
);

export const tokenRoutes = group({
  createToken: defineRoute({
    ...shared,
    operationId: 'createToken',
    method: 'POST',
    path: `${BASE_PATH}/tokens`,
    summary: 'Create an API token',
    description:
      'This answer is the only one that ever shows the token: the same call repeated with its `Idempotency-Key` is a `CONFLICT` that names ' +
      'the token in `details.tokenId`. It can have no permission that its creator does not have, and is limited to keys, addresses, a rate and a ' +
      'time at least as much: a limit that is absent is that of the creator.',
    body: createBody,
    check: ({ role, permissions = [] }) =>
      role === undefined && permissions.length === 0
        ? [{ path: 'role', reason: 'a role or at least one permission is needed' }]
        : [],
    response: created,
    status: 201,
    errors: ['QUOTA_EXCEEDED'],
    mutating: true,
    example: {
      body: {
        name: 'orders-service',
        role: 'key_user',
        expiresAt: '2050-01-01T00:00:00Z',
        purpose: 'encrypts the letters of orders',
        keys: [EXAMPLE.keyId],
        addresses: ['192.0.2.0/24'],
        rate: 500,
      },
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
  getOwnToken: defineRoute({
    ...shared,
    operationId: 'getOwnToken',
    method: 'GET',
    path: `${BASE_PATH}/tokens/self`,
    summary: 'Show the API token that makes the call',
    description: 'It needs no permission. `NOT_FOUND` for another kind of credential, and for one of the platform.',
    response: tokenSchema,
    status: 200,
    errors: ['NOT_FOUND'],
    mutating: false,
    example: { answer: EXAMPLE_TOKEN },
  }),
  getToken: defineRoute({
    ...shared,
    operationId: 'getToken',
    method: 'GET',
    path: `${BASE_PATH}/tokens/{tokenId}`,
    summary: 'Show an API token',
    description: 'What is known of it, without the token itself.',
    response: tokenSchema,
    status: 200,
    errors: [],
    mutating: false,
    example: { answer: EXAMPLE_TOKEN },
  }),
  rotateToken: defineRoute({
    ...shared,
    operationId: 'rotateToken',
    method: 'POST',
    path: `${BASE_PATH}/tokens/{tokenId}/rotate`,
    summary: 'Replace an API token by one with another secret',
    description:
      'The new token has the same permissions, limits and expiry, and counts as the same caller in policies and evidence; the old one is ' +
      'taken for a while yet, and creates nothing meanwhile that lasts longer. A token may rotate itself without a permission. With it, and within ' +
      'what it holds itself, it may rotate what it created, level by level; a credential of the platform or of an issuer may rotate any of the ' +
      'tenant. `FORBIDDEN` for others. This answer is the only one that ever shows the new token. `CONFLICT` for a token that has ended or was rotated already, and for a repeated call.',
    body: z.strictObject({
      tenantId,
      overlapSeconds: z
        .int()
        .min(0)
        .max(LIMITS.overlapSeconds.maximum)
        .exactOptional()
        .describe('For how long the old token is still taken; default: an hour.'),
    }),
    response: created,
    status: 201,
    errors: [],
    mutating: true,
    example: {
      body: { overlapSeconds: 3600 },
      answer: { ...EXAMPLE_TOKEN, replaces: EXAMPLE.otherTokenId, token: 'qnsp_pqc_example' },
    },
  }),
  revokeToken: defineRoute({
    ...shared,
    operationId: 'revokeToken',
    method: 'POST',
    path: `${BASE_PATH}/tokens/{tokenId}/revoke`,
    also: [{ method: 'DELETE', path: `${BASE_PATH}/tokens/{tokenId}` }],
    summary: 'Revoke an API token',
    description:
      'It stops working immediately and permanently. With `cascade` so does its lineage, all at once: what it replaced and was replaced by, and ' +
      'every token that any of them created, level by level. `NOT_FOUND` if the tenant never had a token with this id.',
    body: z.strictObject({
      tenantId,
      cascade: z.boolean().exactOptional().describe('Whether to revoke its lineage with it; default: `false`.'),
    }),
    response: component(
      'RevokedApiToken',
      z.object({
        tokenId: answeredUuid,
        revoked: z.literal(true),
        revokedTokens: z.number().describe('How many tokens this call ended; none if they had ended already.'),
        more: z
          .boolean()
          .describe(
            `Whether live tokens of the lineage are left, as one call ends ${LIMITS.lineageTokens}: repeat it with a new key.`,
          ),
        warnings: z
          .array(z.string())
          .exactOptional()
          .describe('What this call did not end, such as the token that replaced a rotated one.'),
      }),
    ),
    status: 200,
    errors: [],
    mutating: true,
    example: {
      body: { cascade: true },
      answer: { tokenId: EXAMPLE.tokenId, revoked: true, revokedTokens: 3, more: false },
    },
  }),
});
