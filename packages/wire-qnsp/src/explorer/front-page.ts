import type { Env, Hono } from 'hono';

/** Where somebody who knows only the address of the service can continue. */
const PLACES = {
  explorer: { path: '/explorer', what: 'try the interface in the browser' },
  openapi: { path: '/openapi.json', what: 'the interface as an OpenAPI 3.1 document' },
  health: { path: '/health', what: 'the health of the service' },
} as const;

const DOCUMENTS = 'README.md and docs/ of the repository: guide, command line, operations, cryptography';

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>QNSP KMS</title></head>
<body>
<h1>QNSP KMS</h1>
<p>This is a key management service.</p>
<ul>
${Object.values(PLACES)
  .map(({ path, what }) => `<li><a href="${path}">${path}</a>: ${what}</li>`)
  .join('\n')}
</ul>
<p>Documentation: ${DOCUMENTS}.</p>
</body>
</html>
`;

/** Adds the page at `/`: HTML for a browser, JSON for everything else. */
export function addFrontPage<E extends Env>(app: Hono<E>): void {
  app.get('/', (c) => {
    const isBrowser = /\btext\/html\b/.test(c.req.header('accept') ?? '');
    const headers = {
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      vary: 'accept',
    };
    if (isBrowser) return c.body(PAGE, 200, { ...headers, 'content-type': 'text/html; charset=utf-8' });
    const links = Object.fromEntries(Object.entries(PLACES).map(([name, { path }]) => [name, path]));
    return c.json({ service: 'kms-service', links, documentation: DOCUMENTS }, 200, headers);
  });
}
