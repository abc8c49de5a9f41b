import { requestId } from '@qnsp/http-edge';
import { ALL_ROUTES, type RawRequest, type Route } from '@qnsp/kms-contract';
import { KmsError } from '@qnsp/kms-core';
import { addExplorer, addFrontPage, answerProblem, answerRoute, logFailure, type QnspParts } from '@qnsp/wire-qnsp';
import { type Context, Hono } from 'hono';
import type { AppEnv } from './http/app-env.ts';
import { toResponse } from './http/to-response.ts';

/** The HTTP application: every route of the contract, and one shape for everything that goes wrong. */
export function makeApp(parts: QnspParts): Hono<AppEnv> {
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
      refuse(parts, c, new KmsError('METHOD_NOT_ALLOWED', `This path accepts ${allow}.`), { allow }),
    );
  }
  addFrontPage(app);
  addExplorer(app);
  app.notFound((c) => refuse(parts, c, new KmsError('NOT_FOUND', 'There is nothing at this path.')));
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
  parts: QnspParts,
  c: Context<AppEnv>,
  error: KmsError,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const id = requestId(c.env.incoming.headers['x-request-id']);
  const answer = answerProblem(error, id, false, headers);
  logFailure(parts.edge.logs, { requestId: id, status: answer.status }, error);
  return toResponse(answer);
}

/** A name that is given once as its value, one that is given more often as a list, which no field takes. */
function singleOrList(queries: Readonly<Record<string, readonly string[]>>): NonNullable<RawRequest['query']> {
  return Object.fromEntries(
    Object.entries(queries).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}
