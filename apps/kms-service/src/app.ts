import { ALL_ROUTES, type RawRequest, type Route } from '@qnsp/kms-contract';
import { type Kms, KmsError, type SweepReport } from '@qnsp/kms-core';
import { type Context, Hono } from 'hono';
import type { Caches } from './caches.ts';
import type { ClockSkew } from './clock-skew.ts';
import type { Fleet } from './fleet-settings.ts';
import { addExplorer } from './explorer/explorer.ts';
import { addFrontPage } from './explorer/front-page.ts';
import type { Evidence } from './evidence/open-evidence.ts';
import type { RefusedTokens } from './evidence/refused-tokens.ts';
import { toResponse } from './http/answer.ts';
import { answerRoute, logFailure } from './http/answer-route.ts';
import type { AppEnv } from './http/app-env.ts';
import type { Logs } from './http/logger.ts';
import { answerProblem } from './http/problem-answer.ts';
import { requestId } from './http/request-id.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './readiness.ts';

/** What the application works with. */
export interface AppParts {
  readonly kms: Kms;
  readonly logs: Logs;
  readonly caches: Caches;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly version: string;
  /** Absent when no evidence is kept. */
  readonly evidence?: Evidence | undefined;
  /** What records that a known token was not let in. */
  readonly refusedTokens: RefusedTokens;
  /** What the gateway in front of the service proves itself by; none without it. */
  readonly gatewayCredential?: string | undefined;
  readonly skew: ClockSkew;
  /** How this node gets on with the others of its fleet. */
  readonly fleet: Pick<Fleet, 'check'>;
  /** Why the database takes no writes, `undefined` when it takes them. */
  readonly writeProblem: () => Promise<string | undefined>;
  /** What the HSMs are for, besides what the core does with them. */
  readonly hardware: { readonly configured: boolean; randomIsMissing(): boolean };
  /** What the newest reconciliation of HSMs and database found. */
  readonly sweeps: () => readonly SweepReport[];
}

/** The HTTP application: every route of the contract, and one shape for everything that goes wrong. */
export function makeApp(parts: AppParts): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  for (const [path, routes] of writtenOutFirst(routesByPath())) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, ':$1');
    for (const [method, route] of routes)
      app.on(method, pattern, async (c) => {
        const address = { params: c.req.param(), query: singleOrList(c.req.queries()) };
        return toResponse(await answerRoute(parts, c.env.incoming, route, address));
      });
    const methods = routes.map(([method]) => method);
    const allow = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].sort().join(', ');
    app.options(pattern, () => new Response(null, { status: 204, headers: { allow } }));
    app.all(pattern, (c) =>
      refuse(parts, c, new KmsError('METHOD_NOT_ALLOWED', `This path takes ${allow}.`), { allow }),
    );
  }
  addFrontPage(app);
  addExplorer(app);
  app.notFound((c) => refuse(parts, c, new KmsError('NOT_FOUND', 'There is nothing under this path.')));
  return app;
}

type RoutesOfPath = readonly [path: string, routes: readonly (readonly [method: string, route: Route])[]];

function routesByPath(): readonly RoutesOfPath[] {
  const all = ALL_ROUTES.flatMap((route) => [route, ...(route.also ?? [])].map((address) => ({ ...address, route })));
  const byPath = Map.groupBy(all, ({ path }) => path);
  return [...byPath].map(([path, routes]) => [path, routes.map(({ method, route }) => [method, route])]);
}

/** The router takes what it was told first: `/keys/stats` is never a key, whatever the method, as OpenAPI has it. */
function writtenOutFirst(paths: readonly RoutesOfPath[]): readonly RoutesOfPath[] {
  const isTemplate = ([path]: RoutesOfPath) => path.includes('{');
  return [...paths.filter((one) => !isTemplate(one)), ...paths.filter(isTemplate)];
}

function refuse(
  parts: AppParts,
  c: Context<AppEnv>,
  error: KmsError,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const id = requestId(c.env.incoming.headers['x-request-id']);
  const answer = answerProblem(error, id, false, headers);
  logFailure(parts.logs, { requestId: id, status: answer.status }, error);
  return toResponse(answer);
}

/** A name that is given once as its value, one that is given more often as a list, which no field takes. */
function singleOrList(queries: Readonly<Record<string, readonly string[]>>): NonNullable<RawRequest['query']> {
  return Object.fromEntries(
    Object.entries(queries).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}
