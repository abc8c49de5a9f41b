import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Env, Hono } from 'hono';

/** Where each file of the page comes from, and what it is. */
const FILES: Readonly<Record<string, { readonly url: string; readonly type: string }>> = {
  '': { url: import.meta.resolve('../../page/index.html'), type: 'text/html; charset=utf-8' },
  'explorer.js': { url: import.meta.resolve('../../page/explorer.js'), type: 'text/javascript; charset=utf-8' },
  'explorer.css': { url: import.meta.resolve('../../page/explorer.css'), type: 'text/css; charset=utf-8' },
  'swagger-ui-bundle.js': {
    url: import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'),
    type: 'text/javascript; charset=utf-8',
  },
  'swagger-ui.css': { url: import.meta.resolve('swagger-ui-dist/swagger-ui.css'), type: 'text/css; charset=utf-8' },
};

/** Nothing runs, loads or is called but what this service serves, and nothing embeds the page. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface Asset {
  readonly plain: Buffer<ArrayBuffer>;
  readonly zipped: Buffer<ArrayBuffer>;
  readonly etag: string;
}

/** Adds the explorer: a page that shows the OpenAPI document of this service and tries its calls. */
export function addExplorer<E extends Env>(app: Hono<E>): void {
  const assets = new Map<string, Promise<Asset>>();
  for (const [name, { url, type }] of Object.entries(FILES)) {
    app.get(name === '' ? '/explorer' : `/explorer/${name}`, async (c) => {
      // Read when first asked for: most nodes never are.
      const loading = assets.get(name) ?? load(url);
      assets.set(name, loading);
      const { plain, zipped, etag } = await loading;
      const isZipped = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '');
      const headers = {
        'content-type': type,
        etag,
        // The page asks each time whether it is still the one; the files that it names are kept for a day.
        'cache-control': name === '' ? 'no-cache' : 'public, max-age=86400',
        vary: 'accept-encoding',
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
      };
      if (c.req.header('if-none-match') === etag) return new Response(null, { status: 304, headers });
      return new Response(isZipped ? zipped : plain, { headers });
    });
  }
}

const compress = promisify(gzip);

async function load(url: string): Promise<Asset> {
  const plain = await readFile(new URL(url));
  const zipped = await compress(plain, { level: 9 });
  // Weak: the two encodings are the same content.
  return { plain, zipped, etag: `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"` };
}
