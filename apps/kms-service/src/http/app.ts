import { addExplorer, addFrontPage, type KmsHttp } from '@qnsp/wire-qnsp';
import { Hono } from 'hono';

/** The HTTP application: pages for people, and whatever the dialects have under every other path. */
export function makeApp({ app: routes }: Pick<KmsHttp, 'app'>): Hono {
  const app = new Hono();
  addFrontPage(app);
  addExplorer(app);
  return app.route('/', routes);
}
