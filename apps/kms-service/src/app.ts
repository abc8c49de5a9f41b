import { ALL_ROUTES, type Route } from '@qnsp/kms-contract';
import { type Kms, KmsError, type SweepReport } from '@qnsp/kms-core';
import { type Context, Hono } from 'hono';
import { type Served, serveRoute } from './http/serve-route.ts';
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
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly version: string;
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
    app.all(pattern, (c) =>
      refuse(parts, c, new KmsError('METHOD_NOT_ALLOWED', `This path takes ${methods.join(', ')}.`), {
        allow: methods.join(', '),
      }),
    );
  }
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
  // What the service did wrong is worth its cause; what a client did wrong is worth its code.
  if (failure !== undefined && (code === undefined || code === 'INTERNAL_ERROR'))
    log.error({ ...fields, code: 'INTERNAL_ERROR', err: failure }, 'request failed');
  else if (code === undefined) log.info(fields, 'request');
  else log.info({ ...fields, code }, 'request');
}
