import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { findExecutable } from '@qnsp/test-harness';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Session } from './browser-session.ts';
import { type StartedService, startedService } from './started-service.ts';

const IN_PAGE = `import { session } from './browser-session.ts'; globalThis.session = session;`;
const IN_WORKER = `import { session } from './browser-session.ts';
  onmessage = ({ data }) => session(...data).then(postMessage, (error) => postMessage(String(error)));`;

let service: StartedService;
let server: Server;
let browser: Browser;
let page: Page;
let baseUrl: string;
/** What the page complained about. */
const complaints: string[] = [];

async function bundle(contents: string): Promise<string> {
  const resolveDir = fileURLToPath(new URL('.', import.meta.url));
  const stdin = { contents, resolveDir, loader: 'ts' } as const;
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'esm', platform: 'browser' });
  return outputFiles[0]?.text ?? '';
}

/** A web server as an application has it: its page, its scripts, and the service below a path of the same origin. */
function startServer(files: Readonly<Record<string, readonly [string, string]>>, target: string): Promise<Server> {
  const made = createServer((incoming, outgoing) => {
    const file = files[incoming.url ?? ''];
    if (file !== undefined) {
      outgoing.writeHead(200, { 'content-type': file[0] }).end(file[1]);
      return;
    }
    const { method, headers } = incoming;
    const passed = request(
      `${target}${(incoming.url ?? '').replace(/^\/proxy/, '')}`,
      { method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  return new Promise((resolve) => made.listen(0, '127.0.0.1', () => resolve(made)));
}

beforeAll(async () => {
  service = await startedService();
  const files = {
    '/': [
      'text/html',
      '<!doctype html><title>page</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>',
    ],
    '/page.js': ['text/javascript', await bundle(IN_PAGE)],
    '/worker.js': ['text/javascript', await bundle(IN_WORKER)],
  } as const;
  server = await startServer(files, service.baseUrl);
  // A server that listens on TCP has such an address.
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const executablePath = findExecutable('chromium');
  if (executablePath === undefined)
    throw new Error('These tests need Chromium: run "apt-get install chromium", or as root let npm test do it.');
  browser = await chromium.launch({
    executablePath,
    // Debian's Chromium has no sandbox for root, and containers have little shared memory.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
  page = await browser.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(baseUrl);
}, 600_000);
afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  await service?.end();
});

const EXPECTED = { opened: 'from a browser', isSame: true, refusal: 'UNAUTHORIZED' };

test('the client and its envelopes work in a page', { timeout: 600_000 }, async () => {
  const call = `session(${JSON.stringify(`${baseUrl}/proxy`)}, ${JSON.stringify(service.token)})`;
  expect(await page.evaluate<Session>(call)).toEqual({ ...EXPECTED, scope: '[object Window]' });
  expect(complaints).toEqual([]);
});

test('the client and its envelopes work in a worker', { timeout: 600_000 }, async () => {
  const call = `new Promise((resolve, reject) => {
    const worker = new Worker('/worker.js', { type: 'module' });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage(${JSON.stringify([`${baseUrl}/proxy`, service.token])});
  })`;
  expect(await page.evaluate<Session>(call)).toEqual({ ...EXPECTED, scope: '[object DedicatedWorkerGlobalScope]' });
});
