import { OPERATIONS, type PolicyDocument } from '@qnsp/kms-core';
import { z } from 'zod';
import { EXAMPLE_KEY } from '../answers/examples.ts';
import { keySchema } from '../answers/key.ts';
import { inside } from '../fields/inside.ts';
import { allowLockout, policyDocument } from '../fields/policy-document.ts';
import { component } from '../fields/wire-schema.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const shared = { path: `${BASE_PATH}/keys/{keyId}/policy`, tag: 'Key policies', auth: 'bearer', status: 200 } as const;

const EXAMPLE_POLICY = {
  version: '1',
  statements: [
    { effect: 'deny', actions: [OPERATIONS.decrypt.permission], resources: ['*'], conditions: { mfa: false } },
    {
      effect: 'allow',
      actions: [OPERATIONS.encrypt.permission],
      resources: ['*'],
      principals: ['orders-service'],
      conditions: { ip: ['10.0.0.0/8'] },
    },
  ],
};

/** The document itself, beside what else the request may say; separate internally. */
const policyRequest = component(
  'PutKeyPolicyRequest',
  z.codec(
    policyDocument.safeExtend({ tenantId, allowLockout: allowLockout.exactOptional() }),
    inside<{ readonly policy: PolicyDocument; readonly tenantId?: string; readonly allowLockout?: boolean }>(),
    {
      decode: ({ tenantId: tenant, allowLockout: insists, ...policy }) => ({
        policy,
        ...(tenant === undefined ? {} : { tenantId: tenant }),
        ...(insists === undefined ? {} : { allowLockout: insists }),
      }),
      // The document is only read here, so its lists need not be mutable.
      encode: ({ policy, tenantId: tenant, allowLockout: insists }) => ({
        ...(policy as z.output<typeof policyDocument>),
        ...(tenant === undefined ? {} : { tenantId: tenant }),
        ...(insists === undefined ? {} : { allowLockout: insists }),
      }),
    },
  ),
);

export const policyRoutes = group({
  getKeyPolicy: defineRoute({
    ...shared,
    operationId: 'getKeyPolicy',
    method: 'GET',
    summary: 'Read the policy of a key',
    description: 'For a key without a policy, the answer is one without statements, which means the same.',
    response: policyDocument,
    errors: [],
    mutating: false,
    example: { answer: EXAMPLE_POLICY },
  }),
  putKeyPolicy: defineRoute({
    ...shared,
    operationId: 'putKeyPolicy',
    method: 'PUT',
    summary: 'Replace the policy of a key',
    description:
      'Nobody can grant what they do not hold. A policy that keeps its own writer from changing it again is refused, unless ' +
      '`allowLockout` says that this is intended. The answer is the key.',
    body: policyRequest,
    response: keySchema,
    errors: ['KEY_STATE_INVALID', 'APPROVAL_REQUIRED'],
    mutating: true,
    ifMatch: true,
    example: { body: EXAMPLE_POLICY, answer: { ...EXAMPLE_KEY, revision: 2 } },
  }),
  deleteKeyPolicy: defineRoute({
    ...shared,
    operationId: 'deleteKeyPolicy',
    method: 'DELETE',
    summary: 'Remove the policy of a key',
    description:
      'The permissions of the credential decide again. No policy can keep the administrators of the tenant from doing this. The answer is the key.',
    response: keySchema,
    errors: ['KEY_STATE_INVALID', 'APPROVAL_REQUIRED'],
    mutating: true,
    ifMatch: true,
    example: { answer: { ...EXAMPLE_KEY, revision: 3 } },
  }),
});
