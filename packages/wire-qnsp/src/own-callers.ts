import type { Dialect, Edge, Presented, RequestHead } from '@qnsp/http-edge';
import {
  type Caller,
  type CredentialVerifier,
  type Identity,
  isUuid,
  KmsError,
  type KmsErrorCode,
  SYSTEM_TENANT,
} from '@qnsp/kms-core';
import { checkCaller } from '@qnsp/kms-core/internal';
import { type MaybePromise, RefusedCredential } from '@qnsp/kms-core/ports';
import type { Context, Env } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { QnspTarget } from './qnsp-target.ts';

/**
 * Says who makes a request: by the session of an application, by what an earlier handler has found out, by a credential that
 * `kms.authenticate` knows. Asked again for a request whose body comes late, and answers the same then unless that has ended. It must
 * not read the body: at the root of a server of Node.js nothing would be left of it for the call.
 *
 * @throws KmsError `UNAUTHORIZED` for somebody whom it does not know; an `HTTPException` of Hono with 401, 403 or 429 is answered in the
 *   same way
 */
export type Authenticate<E extends Env = Env> = (c: Context<E>) => MaybePromise<Caller>;

/** Callers whom an application knows itself, as credentials of a dialect. */
export interface OwnCallers<E extends Env> {
  readonly dialect: Dialect<QnspTarget>;
  readonly verifiers: readonly CredentialVerifier[];
  /** Remembers the context of a request that is about to be served. */
  readonly meet?: (incoming: RequestHead, c: Context<E>) => void;
}

/** What tells what a tenant has of its own of the limits. */
export type KnownLimits = Pick<Edge['kms']['quotas'], 'ownOf'>;

/**
 * A dialect whose callers an application knows itself.
 *
 * @param dialect of which everything else is taken
 * @param limits asked for callers of whom the application says no credential; default: they are held to what holds for all
 */
export function ownCallers<E extends Env>(
  authenticate: Authenticate<E>,
  dialect: Dialect<QnspTarget>,
  limits: KnownLimits | undefined,
): OwnCallers<E> {
  const contexts = new WeakMap<RequestHead, Context<E>>();
  return {
    meet: (incoming, c) => void contexts.set(incoming, c),
    dialect: {
      ...dialect,
      presented: (incoming) => new AskedFor(incoming),
      fastPath: undefined,
    },
    verifiers: [
      {
        verify: (presented) => {
          if (!(presented instanceof AskedFor)) return undefined;
          const c = contexts.get(presented.incoming);
          return c === undefined ? undefined : identify(authenticate, c, presented, limits);
        },
      },
    ],
  };
}

/** A request of which the application says who makes it. */
class AskedFor implements Presented {
  readonly incoming: RequestHead;
  /** Known once the application was asked. */
  address: string | null = null;

  constructor(incoming: RequestHead) {
    this.incoming = incoming;
  }
}

async function identify<E extends Env>(
  authenticate: Authenticate<E>,
  c: Context<E>,
  asked: AskedFor,
  limits: KnownLimits | undefined,
): Promise<Identity> {
  const caller = await callerFrom(authenticate, c);
  asked.address = caller.attributes.ip;
  const identity = identityOf(caller);
  if (limits === undefined || identity.tenantId === null || caller.credential !== undefined) return identity;
  const tenantLimits = await limits.ownOf(identity.tenantId);
  return tenantLimits === undefined ? identity : { ...identity, tenantLimits };
}

async function callerFrom<E extends Env>(authenticate: Authenticate<E>, c: Context<E>): Promise<Caller> {
  try {
    return await authenticate(c);
  } catch (error) {
    // `kms.authenticate` has left it in evidence already.
    if (RefusedCredential.is(error)) throw new KmsError(error.code, error.message, { cause: error });
    if (error instanceof HTTPException) throw refusalOf(error);
    throw error;
  }
}

/** What the exceptions by which middleware of Hono refuses a caller are to the KMS. */
const REFUSALS = {
  401: ['UNAUTHORIZED', 'The caller is not known.'],
  403: ['FORBIDDEN', 'The caller may not do this.'],
  429: ['TOO_MANY_REQUESTS', 'The caller asks too often.'],
} as const satisfies Readonly<Record<number, readonly [KmsErrorCode, string]>>;

/** The error of the KMS for a caller whom the application refuses; any other exception is one that it did not expect. */
function refusalOf(exception: HTTPException): Error {
  const { status, message, res } = exception;
  if (status !== 401 && status !== 403 && status !== 429) return exception;
  const [code, withoutMessage] = REFUSALS[status];
  const seconds = Number(res?.headers.get('retry-after') ?? Number.NaN);
  return new KmsError(code, message === '' ? withoutMessage : message, {
    cause: exception,
    ...(Number.isInteger(seconds) ? { retryAfterSeconds: seconds } : {}),
  });
}

/** What a caller is to the edge, which settles the tenant of a call itself. */
function identityOf(caller: Caller): Identity {
  const { tenantId, subject, permissions, attributes, keys = null, onKeys, credential } = caller;
  // Without a tenant, a call would take the one that its request names.
  if (!isUuid(tenantId)) throw new KmsError('UNAUTHORIZED', 'The caller belongs to no tenant.');
  checkCaller(caller);
  return {
    ...(credential ?? { credential: 'api-token' }),
    tenantId: tenantId === SYSTEM_TENANT ? null : tenantId,
    subject,
    permissions,
    attributes: { mfa: attributes.mfa },
    keys,
    onKeys,
  };
}
