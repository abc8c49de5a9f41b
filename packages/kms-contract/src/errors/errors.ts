import type { KmsErrorCode } from '@qnsp/kms-core';
import { z } from 'zod';
import { answeredInstant } from '../fields/instant.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';

/** The HTTP status of each error code: the one table. */
export const ERROR_STATUS = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  TENANT_MISMATCH: 403,
  QUOTA_EXCEEDED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  APPROVAL_REQUIRED: 409,
  KEY_STATE_INVALID: 409,
  IDEMPOTENCY_MISMATCH: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  DECRYPT_FAILED: 422,
  KEY_USAGE_EXCEEDED: 422,
  TOO_MANY_REQUESTS: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL_ERROR: 500,
  HSM_UNAVAILABLE: 503,
  STORE_UNAVAILABLE: 503,
  AUDIT_UNAVAILABLE: 503,
  SEALED: 503,
} as const satisfies Readonly<Record<KmsErrorCode, number>>;

// The keys are exactly the codes: `satisfies` above asks for every one and allows no other.
/** Every error code, in the order in which they are documented. */
export const ERROR_CODES = Object.keys(ERROR_STATUS) as readonly KmsErrorCode[];

/** The HTTP status of each error code that only a gateway answers, for a service that it cannot reach. */
export const GATEWAY_ERROR_STATUS = { BAD_GATEWAY: 502, SERVICE_UNAVAILABLE: 503, GATEWAY_TIMEOUT: 504 } as const;

const code = onTheWire(z.string(), { type: 'string', enum: [...ERROR_CODES, ...Object.keys(GATEWAY_ERROR_STATUS)] });

const errorFields = {
  statusCode: z.int(),
  error: code.describe('The same as `code`.'),
  code: code.describe('What went wrong; branch on this.'),
  message: z.string().describe('A human-readable explanation of what went wrong and what to do. It may change.'),
  details: z
    .record(z.string(), z.unknown())
    .exactOptional()
    .describe('Facts about the error; for `BAD_REQUEST` `issues[]` of `path` and `reason`.'),
};

/** The one shape of every answer that is not a success. */
export const problemSchema = component(
  'Problem',
  z.object({
    ...errorFields,
    requestId: z.string(),
    timestamp: answeredInstant,
    routeId: z.string().exactOptional().describe('For `TOO_MANY_REQUESTS`: the route that was called too often.'),
    limit: z
      .number()
      .exactOptional()
      .describe(
        'For `TOO_MANY_REQUESTS`: how many units of cost may be taken at once, or how many there may be of what `details.limit` names.',
      ),
    retryAfter: z.int().exactOptional().describe('Whole seconds to wait; the same as the header `Retry-After`.'),
  }),
);
/** The body of an answer that is an error. */
export type Problem = z.output<typeof problemSchema>;

/** The error of one item of a batch; what belongs to the whole call is not repeated in it. */
const itemProblemSchema = component('ItemProblem', z.object(errorFields));
/** The error of one item of a batch. */
export type ItemProblem = z.output<typeof itemProblemSchema>;

/** What takes the place of a failed item of a batch. */
export const failedItemSchema = component('FailedItem', z.object({ error: itemProblemSchema }));

/** What an error tells the caller; every `KmsError` is one. */
export interface Failure {
  readonly code: KmsErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** The request that failed, and when. */
export interface Occurrence {
  readonly requestId: string;
  readonly timestamp: Date;
}

/**
 * The body of an error answer; its `statusCode` is the HTTP status. What a rate limit says in `details` (`routeId`,
 * `limit`, `retryAfter`) is repeated at the top level, where published clients look for it.
 */
export function problem(failure: Failure, { requestId, timestamp }: Occurrence): Problem {
  const { code: error, retryAfterSeconds } = failure;
  const retryAfter = retryAfterSeconds === undefined ? {} : { retryAfter: retryAfterSeconds };
  const limited = error === 'TOO_MANY_REQUESTS';
  const details = limited ? { ...failure.details, ...retryAfter } : failure.details;
  return {
    ...itemProblem({ code: error, message: failure.message, details }),
    requestId,
    timestamp: timestamp.toISOString(),
    ...(limited ? rateLimitFacts(failure.details ?? {}) : {}),
    ...retryAfter,
  };
}

/** The error of one item of a batch. */
export function itemProblem({ code: error, message, details }: Failure): ItemProblem {
  return {
    statusCode: ERROR_STATUS[error],
    error,
    code: error,
    message,
    ...(details === undefined ? {} : { details }),
  };
}

function rateLimitFacts({
  routeId,
  limit: named,
  maximum,
}: Readonly<Record<string, unknown>>): Pick<Problem, 'routeId' | 'limit'> {
  const limit = typeof named === 'string' ? maximum : named;
  return { ...(typeof routeId === 'string' ? { routeId } : {}), ...(typeof limit === 'number' ? { limit } : {}) };
}
