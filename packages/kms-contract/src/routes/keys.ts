import { KEY_STATES, KEY_PURPOSES } from '@qnsp/kms-core';
import { VERSION_STATES } from '@qnsp/kms-core/ports';
import { z } from 'zod';
import { EXAMPLE, EXAMPLE_KEY } from '../answers/examples.ts';
import { keyPageSchema, keySchema, keyStatisticsSchema, publicKeySchema } from '../answers/key.ts';
import { algorithm, algorithmId, chosenAlgorithm } from '../fields/algorithm.ts';
import { answeredInstant } from '../fields/instant.ts';
import {
  destroyGuardDays,
  keyName,
  keyPurpose,
  requireApproval,
  rotation,
  usageLimits,
} from '../fields/key-settings.ts';
import { metadata } from '../fields/metadata.ts';
import { allowLockout, policyDocument } from '../fields/policy-document.ts';
import { pageLimit, queryInteger } from '../fields/query.ts';
import { urlSafe } from '../fields/text.ts';
import { uuid } from '../fields/uuid.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';
import { rotationIssues } from './rotation-rule.ts';

/** The settings of a key that can be chosen when it is created or imported. */
export const chosenSettings = {
  name: keyName.exactOptional(),
  purpose: keyPurpose.exactOptional(),
  rotation: rotation.exactOptional(),
  usageLimits: usageLimits.exactOptional(),
  metadata: metadata.exactOptional(),
  policy: policyDocument.exactOptional().describe('Requires the permission `kms:keys:policy`.'),
  allowLockout: allowLockout.exactOptional(),
  parentKeyId: uuid
    .exactOptional()
    .describe("The key that protects this one in the tenant's own hierarchy; revocation with `cascade` follows it."),
  destroyGuardDays,
  requireApproval,
};

export const keyRoutes = group({
  createKey: defineRoute({
    operationId: 'createKey',
    method: 'POST',
    path: `${BASE_PATH}/keys`,
    tag: 'Keys',
    summary: 'Create a key',
    description:
      'Every field is optional: without `algorithm` the key gets the default algorithm of the deployment. `label` is a synonym of `name`.',
    auth: 'bearer',
    synonyms: { name: 'label' },
    body: z.strictObject({
      tenantId,
      algorithm: chosenAlgorithm.exactOptional(),
      protectionLevel: z
        .enum(['software', 'hsm'])
        .exactOptional()
        .describe('Where the material is kept (default: `software`).'),
      ...chosenSettings,
    }),
    check: rotationIssues,
    response: keySchema,
    status: 201,
    errors: ['QUOTA_EXCEEDED', 'HSM_UNAVAILABLE'],
    mutating: true,
    example: {
      body: {
        name: 'orders',
        algorithm: 'AES-256-GCM',
        purpose: 'encryption',
        rotation: { rotationPeriod: 'P90D', autoRotate: true },
        metadata: { team: 'orders' },
      },
      answer: EXAMPLE_KEY,
    },
  }),

  listKeys: defineRoute({
    operationId: 'listKeys',
    method: 'GET',
    path: `${BASE_PATH}/keys`,
    tag: 'Keys',
    summary: 'List keys',
    description: 'Newest first.  Filters that are given must all hold.',
    auth: 'bearer',
    query: z.strictObject({
      tenantId,
      limit: pageLimit.exactOptional(),
      cursor: urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.'),
      state: z.enum(KEY_STATES).exactOptional(),
      algorithm: algorithm.exactOptional(),
      purpose: z.enum(KEY_PURPOSES).exactOptional(),
      name: keyName.exactOptional().describe('The complete name.'),
    }),
    response: keyPageSchema,
    list: true,
    status: 200,
    errors: [],
    mutating: false,
    example: { query: { limit: '100', state: 'active' }, answer: { items: [EXAMPLE_KEY], nextCursor: null } },
  }),

  getKeyStats: defineRoute({
    operationId: 'getKeyStats',
    method: 'GET',
    path: `${BASE_PATH}/keys/stats`,
    tag: 'Keys',
    summary: 'Count keys and operations',
    auth: 'bearer',
    response: keyStatisticsSchema,
    status: 200,
    errors: [],
    mutating: false,
    example: {
      answer: {
        total: 2,
        byState: { active: 2 },
        byAlgorithm: { 'aes-256-gcm': 1, 'kyber-768': 1 },
        operationsThisMonth: 1200,
      },
    },
  }),

  getKey: defineRoute({
    operationId: 'getKey',
    method: 'GET',
    path: `${BASE_PATH}/keys/{keyId}`,
    tag: 'Keys',
    summary: 'Read a key',
    auth: 'bearer',
    response: keySchema,
    status: 200,
    errors: [],
    mutating: false,
    example: { answer: EXAMPLE_KEY },
  }),

  updateKey: defineRoute({
    operationId: 'updateKey',
    method: 'PATCH',
    path: `${BASE_PATH}/keys/{keyId}`,
    tag: 'Keys',
    summary: 'Change name, metadata, rotation or limits',
    description:
      'Only the fields that are sent change; `metadata` is replaced as a whole, while of `rotation` and `usageLimits` only the fields in ' +
      'them change. `null` removes a name, a period or a limit. `label` is a synonym of `name`.',
    auth: 'bearer',
    synonyms: { name: 'label' },
    nullIsValue: true,
    body: z.strictObject({
      tenantId: uuid.nullable().exactOptional(),
      name: keyName.nullable().exactOptional(),
      metadata: metadata.exactOptional(),
      rotation: rotation.exactOptional(),
      usageLimits: usageLimits.exactOptional(),
      destroyGuardDays,
      requireApproval,
    }),
    check: rotationIssues,
    response: keySchema,
    status: 200,
    errors: ['KEY_STATE_INVALID', 'APPROVAL_REQUIRED'],
    mutating: true,
    ifMatch: true,
    example: {
      body: { name: 'orders-2026', usageLimits: { expiresAt: '2030-01-01T00:00:00Z' } },
      answer: { ...EXAMPLE_KEY, name: 'orders-2026', revision: 2 },
    },
  }),

  getKeyUsage: defineRoute({
    operationId: 'getKeyUsage',
    method: 'GET',
    path: `${BASE_PATH}/keys/{keyId}/usage`,
    tag: 'Keys',
    summary: 'Show which versions of a key are used',
    description: 'To the hour. What was used in the last seconds may be missing.',
    auth: 'bearer',
    query: z.strictObject({
      tenantId,
      days: queryInteger(1, LIMITS.usageDays.maximum, LIMITS.usageDays.default)
        .exactOptional()
        .describe('How far back `isUsed` looks.'),
    }),
    response: component(
      'KeyUsage',
      z.object({
        keyId: onTheWire(z.string(), { type: 'string', format: 'uuid' }),
        days: z.number(),
        since: answeredInstant.describe('From when on uses of the key are written down.'),
        versions: z.array(
          z.object({
            version: z.number(),
            state: z.enum(VERSION_STATES),
            algorithm: algorithmId,
            createdAt: answeredInstant,
            protectedAt: answeredInstant
              .nullable()
              .describe('The beginning of the hour in which it last protected something new.'),
            processedAt: answeredInstant
              .nullable()
              .describe('The beginning of the hour in which it last processed what it protected.'),
            isUsed: z
              .boolean()
              .nullable()
              .describe('Whether that was in these days; `null` where uses are not known for as long.'),
          }),
        ),
      }),
    ),
    status: 200,
    errors: [],
    mutating: false,
    example: {
      query: { days: '90' },
      answer: {
        keyId: EXAMPLE.keyId,
        days: 90,
        since: EXAMPLE.instant,
        versions: [
          {
            version: 1,
            state: 'active',
            algorithm: 'aes-256-gcm',
            createdAt: EXAMPLE.instant,
            protectedAt: EXAMPLE.later,
            processedAt: null,
            isUsed: true,
          },
        ],
      },
    },
  }),
  getPublicKey: defineRoute({
    operationId: 'getPublicKey',
    method: 'GET',
    path: `${BASE_PATH}/keys/{keyId}/public-key`,
    tag: 'Keys',
    summary: 'Read the public key',
    description: 'Readable whatever the state of the key. For a secret key the answer is `BAD_REQUEST`.',
    auth: 'bearer',
    query: z.strictObject({
      tenantId,
      version: queryInteger(1, LIMITS.keyVersion)
        .exactOptional()
        .describe('The version of the key (default: the current one).'),
    }),
    response: publicKeySchema,
    status: 200,
    errors: [],
    mutating: false,
    example: {
      query: { version: '1' },
      answer: {
        keyId: EXAMPLE.keyId,
        keyVersion: 1,
        algorithm: 'ed25519',
        publicKey: 'MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
        publicKeyPem:
          '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n',
      },
    },
  }),
});
