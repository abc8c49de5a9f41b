import { PERMISSIONS, ROLES } from '@qnsp/kms-core';
import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings } from '../answers/key.ts';
import { answeredInstant, instant } from '../fields/instant.ts';
import { pageLimit } from '../fields/query.ts';
import { stringMap } from '../fields/string-map.ts';
import { line, urlSafe } from '../fields/text.ts';
import { uuid } from '../fields/uuid.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const { identity } = LIMITS;
const answeredUuid = onTheWire(z.string(), { type: 'string', format: 'uuid' });

const bindingSchema = component(
  'IdentityBinding',
  z.object({
    bindingId: answeredUuid,
    tenantId: answeredUuid,
    issuer: z.string(),
    match: onTheWire(z.record(z.string(), z.string()), { type: 'object', additionalProperties: { type: 'string' } }),
    certificate: onTheWire(z.record(z.string(), z.string()).nullable(), {
      type: ['object', 'null'],
      additionalProperties: { type: 'string' },
      description: 'Claims of the certificate that the client has to have besides; `null` where none is demanded.',
    }),
    role: z.enum(ROLES).nullable(),
    permissions: z.array(z.enum(PERMISSIONS)),
    keys: z.array(answeredUuid).nullable().describe('The only keys that it is for; `null` is every key.'),
    createdAt: answeredInstant,
    createdBy: z.string().describe('Who made it: the id of an API token, or an issuer, `#`, and whom it names.'),
    expiresAt: answeredInstant.nullable(),
  }),
);

const denialSchema = component(
  'IdentityDenial',
  z.object({
    denialId: answeredUuid,
    tenantId: answeredUuid,
    issuer: z.string(),
    sub: z.string().nullable(),
    jti: z.string().nullable(),
    before: answeredInstant,
    endsAt: answeredInstant.describe('When all that it refuses has expired.'),
    createdAt: answeredInstant,
    createdBy: z.string(),
    liftedAt: answeredInstant.nullable().describe('When it was lifted; `null` while it is in force.'),
    liftedBy: z.string().nullable(),
  }),
);

const shared = { tag: 'Identity bindings', auth: 'bearer' } as const;
const EXAMPLE_ISSUER = 'https://kubernetes.default.svc';
const EXAMPLE_BINDING = {
  bindingId: EXAMPLE.bindingId,
  tenantId: EXAMPLE.tenantId,
  issuer: EXAMPLE_ISSUER,
  match: { sub: 'system:serviceaccount:orders:*' },
  certificate: null,
  role: 'key_user',
  permissions: [],
  keys: null,
  createdAt: EXAMPLE.instant,
  createdBy: EXAMPLE.tokenId,
  expiresAt: null,
};

const EXAMPLE_DENIAL = {
  denialId: EXAMPLE.bindingId,
  tenantId: EXAMPLE.tenantId,
  issuer: EXAMPLE_ISSUER,
  sub: 'system:serviceaccount:orders:api',
  jti: null,
  before: EXAMPLE.instant,
  endsAt: EXAMPLE.later,
  createdAt: EXAMPLE.instant,
  createdBy: EXAMPLE.tokenId,
  liftedAt: null,
  liftedBy: null,
};

const issuer = line(identity.issuerCharacters);
const claim = line(identity.valueCharacters);

export const identityRoutes = group({
  createIdentityBinding: defineRoute({
    ...shared,
    operationId: 'createIdentityBinding',
    method: 'POST',
    path: `${BASE_PATH}/identity-bindings`,
    summary: 'Let workloads call with the identity that they have',
    description:
      'Those who present a JWT of the issuer, which the operator has to trust, with claims that match may do for the tenant what the binding says. ' +
      'A value that ends in `*` matches every one that begins so. Of several bindings of the tenant that match, each counts. ' +
      'A binding can give no permission that its creator does not have.',
    body: z.strictObject({
      tenantId,
      issuer: issuer.describe('As it stands in the claim `iss`.'),
      match: stringMap({
        entries: identity.claims,
        nameCharacters: identity.claimCharacters,
        valueCharacters: identity.valueCharacters,
        totalBytes: identity.claims * 3 * (identity.claimCharacters + identity.valueCharacters),
      }).describe(
        'Claims by their names; all of them have to match, and at least one, other than `iss` and `aud`, by more than `*`. Of a claim that is a list one item has to match. A claim inside of another one is named by a JSON pointer, such as `/kubernetes.io/namespace`.',
      ),
      certificate: stringMap({
        entries: identity.claims,
        nameCharacters: identity.claimCharacters,
        valueCharacters: identity.valueCharacters,
        totalBytes: identity.claims * 3 * (identity.claimCharacters + identity.valueCharacters),
      })
        .exactOptional()
        .describe(
          'What the client certificate of the connection has to be besides: claims `san.uri`, `san.dns`, `san.email`, `subject.cn` and `fingerprint`, as in `match`. Default: none is demanded. Where the service asks clients for no certificates, such a binding lets nobody in. Not for the issuer `mtls`.',
        ),
      role: z.enum(ROLES).exactOptional(),
      permissions: z
        .array(z.enum(PERMISSIONS))
        .max(LIMITS.tokenPermissions)
        .exactOptional()
        .describe('Permissions beyond those of the role.'),
      keys: z
        .array(uuid)
        .min(1)
        .max(identity.keys)
        .exactOptional()
        .describe('The only keys that it is for (default: every key of the tenant).'),
      expiresAt: instant
        .exactOptional()
        .describe('In the future, and not after the credential that makes it expires (default: when that does).'),
    }),
    check: ({ role, permissions = [] }) =>
      role === undefined && permissions.length === 0
        ? [{ path: 'role', reason: 'a role or at least one permission is needed' }]
        : [],
    response: bindingSchema,
    status: 201,
    errors: ['QUOTA_EXCEEDED'],
    mutating: true,
    example: {
      body: { issuer: EXAMPLE_ISSUER, match: { sub: 'system:serviceaccount:orders:*' }, role: 'key_user' },
      answer: EXAMPLE_BINDING,
    },
  }),
  listIdentityBindings: defineRoute({
    ...shared,
    operationId: 'listIdentityBindings',
    method: 'GET',
    path: `${BASE_PATH}/identity-bindings`,
    summary: 'List the identity bindings of the tenant',
    description: 'Newest first. ',
    query: z.strictObject({
      tenantId,
      limit: pageLimit.exactOptional(),
      cursor: urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.'),
    }),
    response: component(
      'IdentityBindingPage',
      z.object({
        items: z.array(bindingSchema),
        nextCursor: z.string().nullable().describe('Where the next page starts; `null` on the last page.'),
        warnings: listWarnings,
      }),
    ),
    list: true,
    status: 200,
    errors: [],
    mutating: false,
    example: { query: { limit: '100' }, answer: { items: [EXAMPLE_BINDING], nextCursor: null } },
  }),
  denyIdentity: defineRoute({
    ...shared,
    operationId: 'denyIdentity',
    method: 'POST',
    path: `${BASE_PATH}/identity-bindings/deny`,
    summary: 'Let nobody in by credentials that were issued before',
    description:
      'JWTs of the issuer for this subject, or the one with this id, that were issued before a time are refused immediately for this tenant, whatever its bindings ' +
      'say, unless the denial is lifted. Those who get new ones are let in with them: to keep somebody out, delete the binding.',
    body: z.strictObject({
      tenantId,
      issuer: issuer.describe('As it stands in the claim `iss`.'),
      sub: claim.exactOptional().describe('The subject; either this or `jti`.'),
      jti: claim.exactOptional().describe('The id of one JWT.'),
      before: instant
        .exactOptional()
        .describe(
          'JWTs issued before this are refused (default: now). Up to five minutes ahead, for an issuer whose clock is: whatever it issues until then is refused too.',
        ),
    }),
    check: ({ sub, jti }) =>
      (sub === undefined) === (jti === undefined) ? [{ path: 'sub', reason: 'either sub or jti is needed' }] : [],
    response: denialSchema,
    status: 201,
    errors: ['QUOTA_EXCEEDED'],
    mutating: true,
    example: {
      body: { issuer: EXAMPLE_ISSUER, sub: 'system:serviceaccount:orders:api' },
      answer: EXAMPLE_DENIAL,
    },
  }),
  listIdentityDenials: defineRoute({
    ...shared,
    operationId: 'listIdentityDenials',
    method: 'GET',
    path: `${BASE_PATH}/identity-denials`,
    summary: 'List the denials of the tenant',
    description: 'Newest first, those that were lifted too, until all that they refuse has expired.',
    query: z.strictObject({
      tenantId,
      limit: pageLimit.exactOptional(),
      cursor: urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.'),
    }),
    response: component(
      'IdentityDenialPage',
      z.object({
        items: z.array(denialSchema),
        nextCursor: z.string().nullable().describe('Where the next page starts; `null` on the last page.'),
        warnings: listWarnings,
      }),
    ),
    list: true,
    status: 200,
    errors: [],
    mutating: false,
    example: { query: { limit: '100' }, answer: { items: [EXAMPLE_DENIAL], nextCursor: null } },
  }),
  liftIdentityDenial: defineRoute({
    ...shared,
    operationId: 'liftIdentityDenial',
    method: 'POST',
    path: `${BASE_PATH}/identity-denials/{denialId}/lift`,
    summary: 'Lift a denial',
    description:
      'What the denial refused is let in by bindings again, immediately, unless another denial refuses it too. ' +
      '`FORBIDDEN` when a binding of the issuer gives more than the caller has. Repeating it changes nothing.',
    response: denialSchema,
    status: 200,
    errors: [],
    mutating: true,
    example: { answer: { ...EXAMPLE_DENIAL, liftedAt: EXAMPLE.later, liftedBy: EXAMPLE.tokenId } },
  }),
  getIdentityBinding: defineRoute({
    ...shared,
    operationId: 'getIdentityBinding',
    method: 'GET',
    path: `${BASE_PATH}/identity-bindings/{bindingId}`,
    summary: 'Get an identity binding',
    response: bindingSchema,
    status: 200,
    errors: [],
    mutating: false,
    example: { answer: EXAMPLE_BINDING },
  }),
  deleteIdentityBinding: defineRoute({
    ...shared,
    operationId: 'deleteIdentityBinding',
    method: 'DELETE',
    path: `${BASE_PATH}/identity-bindings/{bindingId}`,
    summary: 'Delete an identity binding',
    description:
      'Nobody is let in by it any more, immediately and permanently. `NOT_FOUND` if there is no binding with this id.',
    response: component('DeletedIdentityBinding', z.object({ bindingId: answeredUuid, deleted: z.literal(true) })),
    status: 200,
    errors: [],
    mutating: true,
    example: { answer: { bindingId: EXAMPLE.bindingId, deleted: true } },
  }),
});
