import { ALL_ROUTES, ERROR_STATUS, type Route } from '@qnsp/kms-contract';
import { type Kms, KmsError, type SweepReport } from '@qnsp/kms-core';
import { type Context, Hono } from 'hono';
import type { Caches } from './caches.ts';
import { addExplorer } from './explorer/explorer.ts';
import { type Served, serveRoute } from './http/serve-route.ts';
import type { Evidence } from './evidence/open-evidence.ts';
import type { AppEnv } from './http/app-env.ts';
import type { Logger } from './http/logger.ts';
import { answerProblem } from './http/problem-answer.ts';
import { requestId } from './http/request-id.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';

/** What the application works with. */
export interface AppParts {
  readonly kms: Kms;
  readonly log: Logger;
  readonly caches: Caches;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly version: string;
  /** Absent when no evidence is kept. */
  readonly evidence?: Evidence | undefined;
  /** What the gateway in front of the service proves itself by; none without it. */
  readonly gatewayCredential?: string | undefined;
  /** What the HSMs are for, besides what the core does with them. */
  readonly hardware: { readonly configured: boolean; randomIsMissing(): boolean };
  /** What the newest reconciliation of HSMs and database found. */
  readonly sweeps: () => readonly SweepReport[];
}

/** The HTTP application: every route of the contract, and one shape for everything that goes wrong. */
export function makeApp(parts: AppParts): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const methodsOf = new Map<string, string[]>();
  for (const route of ALL_ROUTES) {
    for (const { method, path } of [route, ...(route.also ?? [])]) {
      const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1');
      methodsOf.set(pattern, [...(methodsOf.get(pattern) ?? []), method]);
      app.on(method, pattern, (c) => answer(parts, c, route));
    }
  }
  for (const [pattern, methods] of methodsOf) {
    const allow = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].sort().join(', ');
    app.options(pattern, () => new Response(null, { status: 204, headers: { allow } }));
    app.all(pattern, (c) =>
      refuse(parts, c, new KmsError('METHOD_NOT_ALLOWED', `This path takes ${allow}.`), { allow }),
    );
  }
  addExplorer(app);
  app.notFound((c) => refuse(parts, c, new KmsError('NOT_FOUND', 'There is nothing under this path.')));
  return app;
}

async function answer(parts: AppParts, c: Context<AppEnv>, route: Route): Promise<Response> {
  const started = performance.now();
  const id = requestId(c.env.incoming.headers['x-request-id']);
  const served: Served = { tenantId: undefined, subject: undefined };
  let response: Response;
  let failure: unknown;
  try {
    response = await serveRoute(parts, c, route, id, served);
  } catch (error) {
    failure = error;
    response = answerProblem(error, id, route.operationId === 'activateSdk');
  }
  const durationMs = performance.now() - started;
  parts.metrics.observe(route.operationId, response.status, durationMs);
  logRequest(
    parts.log,
    {
      requestId: id,
      operation: route.operationId,
      status: response.status,
      durationMs: Math.round(durationMs * 1000) / 1000,
      ...served,
    },
    failure,
  );
  return response;
}

function refuse(
  parts: AppParts,
  c: Context<AppEnv>,
  error: KmsError,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const id = requestId(c.env.incoming.headers['x-request-id']);
  const response = answerProblem(error, id, false, headers);
  logRequest(parts.log, { requestId: id, status: response.status }, error);
  return response;
}

function logRequest(log: Logger, fields: Record<string, unknown>, failure: unknown): void {
  const code = failure instanceof KmsError ? failure.code : undefined;
  // What the service did wrong is worth its cause, what it lacks its reason, and what a client did wrong its code.
  if (failure !== undefined && (code === undefined || code === 'INTERNAL_ERROR'))
    log.error({ ...fields, code: 'INTERNAL_ERROR', err: failure }, 'request failed');
  else if (failure instanceof KmsError && ERROR_STATUS[failure.code] === 503)
    log.warn({ ...fields, code, reason: reasonOf(failure) }, 'request could not be served');
  else if (code === undefined) log.info(fields, 'request');
  else log.info({ ...fields, code }, 'request');
}

/** In one line why something that the service needs was not there. There is one for each call of an outage. */
function reasonOf({ message, cause }: KmsError): string {
  if (!(cause instanceof Error)) return message;
  const code = 'code' in cause && typeof cause.code === 'string' ? `${cause.code}: ` : '';
  return `${message} (${code}${cause.message})`;
}
