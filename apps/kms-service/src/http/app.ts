import { dialectOf, type Dialects, type Edge, serveCall } from '@qnsp/http-edge';
import { addExplorer, addFrontPage } from '@qnsp/wire-qnsp';
import { Hono } from 'hono';
import type { AppEnv } from './app-env.ts';
import { toResponse } from './to-response.ts';

/** The HTTP application: pages for people, and whatever the dialects have under every other path. */
export function makeApp(edge: Edge, dialects: Dialects): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  addFrontPage(app);
  addExplorer(app);
  app.all('*', async ({ env }) => toResponse(await serveCall(edge, env.incoming, dialectOf(dialects, env.incoming))));
  return app;
}
