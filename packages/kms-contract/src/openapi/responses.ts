import type { KmsErrorCode } from '@qnsp/kms-core';
import { activationProblemSchema } from '../errors/activation-problem.ts';
import { answersChange, answersKey } from '../calls/answer.ts';
import { changedKeySchema } from '../answers/key.ts';
import { ERROR_STATUS, problemSchema } from '../errors/errors.ts';
import type { JsonSchema } from '../fields/wire-schema.ts';
import type { Route } from '../route/route.ts';
import type { Components } from './components.ts';
import { answerSchema } from './request-schemas.ts';

/** What each error code means. */
const ERROR_MEANINGS: Readonly<Record<KmsErrorCode, string>> = {
  BAD_REQUEST: 'The request is not valid; `details.issues[]` says where and why.',
  UNAUTHORIZED: 'The credential is missing, unknown, expired or revoked.',
  FORBIDDEN: 'The credential does not have the permission, or the policy of the key denies it.',
  TENANT_MISMATCH: 'The request names a tenant other than that of the credential.',
  QUOTA_EXCEEDED: 'The tenant already has as many of these as it may, or has done as many operations in this month.',
  NOT_FOUND: 'This does not exist for this tenant.',
  METHOD_NOT_ALLOWED: 'The path exists, but not with this method.',
  CONFLICT: 'What the call would change has already changed, or the id is taken.',
  APPROVAL_REQUIRED:
    'Others have to approve this: `details.approvalId` names the request that waits for them, after which the same call does it.',
  KEY_STATE_INVALID: 'The state of the key or of its version does not allow this.',
  IDEMPOTENCY_MISMATCH: 'The idempotency key was used for another request.',
  PAYLOAD_TOO_LARGE: 'The body, or a field of it, is larger than the service accepts.',
  UNSUPPORTED_MEDIA_TYPE: 'The body is not JSON.',
  HEADERS_TOO_LARGE: 'The request line and the headers are larger than the service accepts.',
  DECRYPT_FAILED: 'The ciphertext cannot be opened; the answer is the same whatever is wrong with it.',
  KEY_USAGE_EXCEEDED: 'The key has expired, or has performed as many operations as it may.',
  TOO_MANY_REQUESTS: 'Too many calls; wait for `Retry-After`.',
  INTERNAL_ERROR: 'The service failed; the request id finds it in the log.',
  HSM_UNAVAILABLE: 'No HSM answers; try again.',
  STORE_UNAVAILABLE: 'The database does not answer; try again.',
  AUDIT_UNAVAILABLE: 'The call cannot be recorded as evidence, so it was not carried out; try again.',
  SEALED: 'The service has no root key and so cannot open any; try again.',
};

const REQUEST_ID = { 'x-request-id': { description: 'The id of the request.', schema: { type: 'string' } } };
const ENTITY_TAG = {
  ETag: { description: 'The revision of the key, in the form that `If-Match` takes.', schema: { type: 'string' } },
};
const RETRY_AFTER = { 'Retry-After': { description: 'Whole seconds to wait.', schema: { type: 'integer' } } };
const RATE_LIMIT = {
  'X-RateLimit-Limit': { description: 'How many units of cost may be taken at once.', schema: { type: 'integer' } },
  'X-RateLimit-Remaining': {
    description: 'How many of them are left: fewer than the call costs.',
    schema: { type: 'integer' },
  },
  'X-RateLimit-Reset': { description: 'Seconds until all of them are available again.', schema: { type: 'integer' } },
};

/** The answers of a route by HTTP status. */
export function responsesOf(route: Route, components: Components): JsonSchema {
  const success = successOf(route, components);
  const errors = Object.entries(Object.groupBy(route.errors, (code) => String(ERROR_STATUS[code])));
  return {
    [route.status]: { description: route.summary, ...success },
    ...Object.fromEntries(
      errors.map(([status, codes = []]) => [status, failureOf(route, Number(status), codes.toSorted(), components)]),
    ),
    // After the errors: these statuses come with the answer itself.
    ...Object.fromEntries(
      (route.otherStatuses ?? []).map((status) => [
        status,
        { description: `${route.summary}: not healthy`, ...success },
      ]),
    ),
  };
}

function successOf(route: Route, components: Components): JsonSchema {
  const answer = answerSchema(route, components);
  const schema = answersChange(route) ? { anyOf: [answer, components.of(changedKeySchema)] } : answer;
  return {
    headers: { ...REQUEST_ID, ...(answersKey(route) ? ENTITY_TAG : {}) },
    content: { [route.contentType ?? 'application/json']: { schema, example: route.example.answer } },
  };
}

function failureOf(route: Route, status: number, codes: readonly KmsErrorCode[], components: Components): JsonSchema {
  const name = `${route.tag === 'Activation' ? 'Activation.' : ''}${codes.join('.')}`;
  return components.response(name, () => ({
    description: codes.map((code) => `\`${code}\`: ${ERROR_MEANINGS[code]}`).join('\n\n'),
    headers: {
      ...REQUEST_ID,
      ...(status === 429 || status === 503 ? RETRY_AFTER : {}),
      ...(status === 429 ? RATE_LIMIT : {}),
    },
    content: { 'application/json': { schema: problemOf(route, codes, components) } },
  }));
}

function problemOf(route: Route, codes: readonly KmsErrorCode[], components: Components): JsonSchema {
  if (route.tag === 'Activation') return components.of(activationProblemSchema);
  return { allOf: [components.of(problemSchema), { properties: { code: { enum: codes } } }] };
}
