import type { AccessLog, Dialect, Dialects, Edge, EdgeLogs, EdgeMetrics } from '@qnsp/http-edge';
import type { CredentialVerifier, OpenedKms } from '@qnsp/kms-core';
import { RefusedTokens } from '@qnsp/kms-core/internal';
import type { AddressLimiter, RateLimiter } from '@qnsp/kms-core/ports';
import type { Env, Hono } from 'hono';
import { isKnown, isOfCallers } from './find-target.ts';
import type { ServiceFacts } from './handlers/service-facts.ts';
import { dialectApp } from './mounted/dialect-app.ts';
import { type Authenticate, ownCallers } from './own-callers.ts';
import { qnspDialect } from './qnsp-dialect.ts';

/** What the routes of the platform are served with. */
export interface KmsHttpOptions<E extends Env = Env> {
  /** What `openKms` opened. */
  readonly kms: Pick<OpenedKms, 'parts' | 'run' | 'requireServing'>;
  /** Who makes a request; or the kinds of credentials that are taken from a request itself, in the order in which they are asked. */
  readonly authenticate: Authenticate<E> | readonly CredentialVerifier[];
  /** Hears of calls that failed inside, or for lack of something: `console` and most loggers will do. */
  readonly log: EdgeLogs['log'];
  /** Writes the line of each call; default: there is none. */
  readonly access?: AccessLog;
  /** Counts and times calls; default: nobody does. */
  readonly metrics?: EdgeMetrics;
  /** What the routes about the service itself (`/health`, `/metrics`, `/openapi.json` and such) answer from; default: there are none. */
  readonly facts?: ServiceFacts;
  /** What names the version of the application in exported evidence; default: that of `facts`, otherwise `unknown`. */
  readonly version?: string;
  /** Throws while nothing is served, besides what the KMS says itself. */
  readonly readiness?: { requireServing(): void };
  /** Holds callers to their share; default: nobody is held to any. */
  readonly rateLimiter?: RateLimiter | undefined;
  /**
   * Holds addresses to how many credentials that do not hold they may present; default: any number. For kinds of credentials alone: with a
   * function in their place only the application knows what was presented, and from where.
   */
  readonly addressLimiter?: AddressLimiter | undefined;
  /** What a gateway in front proves itself by; default: there is none, and addresses are those of connections. */
  readonly gatewayCredential?: string | undefined;
  /** Other interfaces at the same address, which are asked first whether a request is theirs; default: there are none. */
  readonly beside?: readonly Dialect[] | undefined;
}

/** The HTTP interface of a KMS. */
export interface KmsHttp<E extends Env = Env> {
  /**
   * All routes, to be mounted where an application wants them: `route` and `mount` both do. With an `authenticate` of the application a
   * request for anything else goes on to its next handler; without one it is answered as `NOT_FOUND`.
   */
  readonly app: Hono<E>;
  /**
   * With `dialects`, for `makeHttpServer` of `@qnsp/http-edge`, which serves most calls without the web objects of Hono. A function that
   * authenticates is asked about requests that come by `app` alone, so that there it has to be what serves the general path.
   */
  readonly edge: Edge;
  readonly dialects: Dialects;
}

/**
 * The routes of the platform over a KMS, without the service around them: the same that the service itself serves.
 *
 * A request without a caller is refused; one of another tenant than its caller's as well. Only calls with `facts` are open to everybody.
 *
 * @throws TypeError for an `addressLimiter` beside a function that authenticates
 * @example
 * import { localCaller } from '@qnsp/kms-core';
 * import { kmsHttp } from '@qnsp/wire-qnsp';
 * import { Hono } from 'hono';
 * const { app: routes } = kmsHttp({
 *   kms,
 *   authenticate: (c) => localCaller({ tenantId, subject: c.req.header('x-user') ?? 'nobody', role: 'key_admin' }),
 *   log: console,
 * });
 * const app = new Hono().get('/', (c) => c.text('notes')).route('/crypto', routes);
 * const created = await app.request('/crypto/kms/v1/keys', {
 *   method: 'POST',
 *   headers: { 'x-user': 'ada', 'content-type': 'application/json' },
 *   body: JSON.stringify({ name: 'letters' }),
 * });
 * console.log(created.status); // 201
 */
export function kmsHttp<E extends Env = Env>(options: KmsHttpOptions<E>): KmsHttp<E> {
  const { kms, authenticate, log, access = () => undefined, metrics = { observe: () => undefined } } = options;
  const {
    facts,
    version = 'unknown',
    readiness,
    rateLimiter,
    addressLimiter,
    gatewayCredential,
    beside = [],
  } = options;
  const dialect = qnspDialect(facts ?? { version });
  if (addressLimiter !== undefined && typeof authenticate === 'function')
    throw new TypeError('An addressLimiter needs the kinds of credentials: it counts those that do not hold.');
  const limits = rateLimiter && kms.parts.quotas;
  const own =
    typeof authenticate === 'function'
      ? ownCallers(authenticate, { ...dialect, claims: facts === undefined ? isOfCallers : isKnown }, limits)
      : { dialect, verifiers: authenticate };
  const edge: Edge = {
    kms: kms.parts,
    verifiers: own.verifiers,
    rateLimiter,
    addressLimiter,
    logs: { log, access },
    metrics,
    readiness: readiness === undefined ? [kms] : [readiness, kms],
    gatewayCredential,
    trail: kms.parts.evidence?.trail,
    refusedTokens: new RefusedTokens(),
  };
  const dialects: Dialects = [...beside, own.dialect];
  return { app: dialectApp(kms, edge, dialects, own.meet), edge, dialects };
}
