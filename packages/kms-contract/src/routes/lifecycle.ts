import { REVOCATION_REASONS } from '@qnsp/kms-core';
import { z } from 'zod';
import { EXAMPLE, EXAMPLE_KEY } from '../answers/examples.ts';
import { keySchema } from '../answers/key.ts';
import { instant } from '../fields/instant.ts';
import { queryInteger } from '../fields/query.ts';
import { optionalLine } from '../fields/text.ts';
import { component } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const { pendingWindowDays } = LIMITS;

const reason = optionalLine(LIMITS.reasonCharacters)
  .exactOptional()
  .describe('The reason, for the audit trail; an empty one is the same as none.');
const reasonedBody = component('ReasonedRequest', z.strictObject({ tenantId, reason }));

const acknowledgeLastUse = instant
  .exactOptional()
  .describe(
    'The hour in which the key was last used, as `details.lastUse` of the refusal names it. A guarded key that was used lately is not destroyed without it, and no key with a wrong one.',
  );

/** What every change of a key's state has in common. */
const change = {
  method: 'POST',
  tag: 'Lifecycle',
  auth: 'bearer',
  response: keySchema,
  status: 200,
  mutating: true,
  ifMatch: true,
} as const;

export const lifecycleRoutes = group({
  rotateKey: defineRoute({
    ...change,
    operationId: 'rotateKey',
    path: `${BASE_PATH}/keys/{keyId}/rotate`,
    summary: 'Create a new version',
    description:
      'Earlier versions become `decrypt-only`: they still decrypt, verify and unwrap. Imported keys are rotated by another import.',
    body: reasonedBody,
    errors: ['KEY_STATE_INVALID', 'QUOTA_EXCEEDED', 'HSM_UNAVAILABLE'],
    example: { body: { reason: 'yearly' }, answer: { ...EXAMPLE_KEY, currentVersion: 2, revision: 2 } },
  }),
  upgradeKey: defineRoute({
    ...change,
    operationId: 'upgradeKey',
    path: `${BASE_PATH}/keys/{keyId}/upgrade`,
    summary: 'Create a new version under the post-quantum default',
    description:
      'Signing keys go to ML-DSA-65, public-key encryption to ML-KEM-768, symmetric encryption to AES-256-GCM. Older versions continue as after a rotation.',
    body: reasonedBody,
    errors: ['KEY_STATE_INVALID', 'QUOTA_EXCEEDED', 'HSM_UNAVAILABLE'],
    example: { body: {}, answer: { ...EXAMPLE_KEY, currentVersion: 2, revision: 2 } },
  }),
  retireVersions: defineRoute({
    ...change,
    operationId: 'retireVersions',
    path: `${BASE_PATH}/keys/{keyId}/retire`,
    summary: 'Retire versions that nobody uses',
    description:
      'Deactivates, permanently, the versions that were superseded at least so many days ago. All of them, or none: `KEY_STATE_INVALID` while ' +
      'one of them was used in this time, with the times in `details`.',
    body: z.strictObject({
      tenantId,
      olderThanDays: z.int().min(1).max(LIMITS.usageDays.maximum).describe('In days.'),
      reason,
    }),
    errors: ['KEY_STATE_INVALID'],
    example: {
      body: { olderThanDays: 90 },
      answer: {
        ...EXAMPLE_KEY,
        currentVersion: 2,
        revision: 3,
        versions: [
          { ...EXAMPLE_KEY.versions[0], state: 'deactivated' },
          { ...EXAMPLE_KEY.versions[0], version: 2 },
        ],
      },
    },
  }),
  suspendKey: defineRoute({
    ...change,
    operationId: 'suspendKey',
    path: `${BASE_PATH}/keys/{keyId}/suspend`,
    summary: 'Suspend a key',
    description: 'It only decrypts, verifies and unwraps until it is resumed.',
    body: reasonedBody,
    errors: ['KEY_STATE_INVALID'],
    example: { body: {}, answer: { ...EXAMPLE_KEY, state: 'suspended', revision: 2 } },
  }),
  resumeKey: defineRoute({
    ...change,
    operationId: 'resumeKey',
    path: `${BASE_PATH}/keys/{keyId}/resume`,
    summary: 'Resume a suspended key',
    body: reasonedBody,
    errors: ['KEY_STATE_INVALID'],
    example: { body: {}, answer: { ...EXAMPLE_KEY, revision: 3 } },
  }),
  revokeKey: defineRoute({
    ...change,
    operationId: 'revokeKey',
    path: `${BASE_PATH}/keys/{keyId}/revoke`,
    summary: 'Revoke a key permanently',
    description: 'Every operation with the key fails at once. This cannot be undone.',
    body: z.strictObject({
      tenantId,
      reason: z.enum(REVOCATION_REASONS),
      cascade: z
        .boolean()
        .exactOptional()
        .describe(
          'Whether the keys below it in the hierarchy are revoked too (default: false). The key itself is revoked in any case, ' +
            'and `warnings` name those below it that could not be.',
        ),
    }),
    errors: ['KEY_STATE_INVALID'],
    example: {
      body: { reason: 'suspected_compromise', cascade: true },
      answer: {
        ...EXAMPLE_KEY,
        state: 'revoked',
        revision: 2,
        revocation: { reason: 'suspected_compromise', revokedAt: EXAMPLE.instant },
      },
    },
  }),
  destroyKey: defineRoute({
    ...change,
    operationId: 'destroyKey',
    method: 'DELETE',
    path: `${BASE_PATH}/keys/{keyId}`,
    also: [{ method: 'POST', path: `${BASE_PATH}/keys/{keyId}/destroy` }],
    summary: 'Schedule the destruction of a key',
    description: 'The key is deactivated now and destroyed after the waiting period, within which it can be restored.',
    query: z.strictObject({
      tenantId,
      pendingWindow: queryInteger(pendingWindowDays.minimum, pendingWindowDays.maximum)
        .exactOptional()
        .describe(
          'The same as in the body, for clients whose DELETE has no body; if both are present, they must be equal.',
        ),
      acknowledgeLastUse,
    }),
    body: z.strictObject({
      tenantId,
      pendingWindow: z
        .int()
        .min(pendingWindowDays.minimum)
        .max(pendingWindowDays.maximum)
        .exactOptional()
        .describe(`Days until the destruction (default: ${pendingWindowDays.default}).`),
      acknowledgeLastUse,
      reason,
    }),
    errors: ['KEY_STATE_INVALID', 'APPROVAL_REQUIRED'],
    example: {
      body: { pendingWindow: 30 },
      answer: { ...EXAMPLE_KEY, state: 'deactivated', revision: 2, destroyAt: EXAMPLE.later },
    },
  }),
  restoreKey: defineRoute({
    ...change,
    operationId: 'restoreKey',
    path: `${BASE_PATH}/keys/{keyId}/restore`,
    summary: 'Cancel a scheduled destruction',
    description: 'The key returns to its previous state. Possible until the waiting period ends.',
    body: reasonedBody,
    errors: ['KEY_STATE_INVALID'],
    example: { body: {}, answer: { ...EXAMPLE_KEY, revision: 3 } },
  }),
  shredKey: defineRoute({
    ...change,
    operationId: 'shredKey',
    path: `${BASE_PATH}/keys/{keyId}/shred`,
    summary: 'Destroy a key now',
    description:
      'The material of every version is destroyed immediately and irrevocably. The record of the key stays for audit.',
    body: z.strictObject({
      tenantId,
      confirmation: z.string().max(64).describe('`SHRED-` and the id of the key.'),
      acknowledgeLastUse,
      reason,
    }),
    errors: ['KEY_STATE_INVALID', 'APPROVAL_REQUIRED', 'HSM_UNAVAILABLE'],
    example: {
      body: { confirmation: `SHRED-${EXAMPLE.keyId}` },
      answer: { ...EXAMPLE_KEY, state: 'destroyed', revision: 2 },
    },
  }),
});
