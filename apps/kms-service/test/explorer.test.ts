import { join } from 'node:path';
import { findExecutable, type TempDir, tempDir } from '@qnsp/test-harness';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, send, startLocalService } from './local-service.ts';

const PLAINTEXT = Buffer.from('sent from the page').toString('base64');

/** A decoded picture, with how many different colours it has. */
interface Picture {
  readonly width: number;
  readonly height: number;
  readonly colours: number;
}

/** Decodes a PNG within the browser, which knows how. */
const DECODE = `async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext('2d');
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, picture.width, picture.height);
  const colours = new Set(new Uint32Array(data.buffer));
  return { width: picture.width, height: picture.height, colours: colours.size };
}`;

let local: LocalService;
beforeAll(async () => {
  local = await startLocalService();
});
afterAll(() => local.end());

const PAGE = ['/explorer', '/explorer/explorer.js', '/explorer/explorer.css'];
const LIBRARY = ['/explorer/swagger-ui-bundle.js', '/explorer/swagger-ui.css'];

describe('the address of the service alone', () => {
  test('leads a program to the explorer, the document and the health', async () => {
    const answer = await fetch(`${local.service.baseUrl}/`);
    expect(answer.status).toBe(200);
    const { links } = (await answer.json()) as { links: Readonly<Record<string, string>> };
    expect(Object.keys(links)).toEqual(['explorer', 'openapi', 'health']);
    for (const path of Object.values(links)) expect((await fetch(`${local.service.baseUrl}${path}`)).status).toBe(200);
  });

  test('leads a browser there, with nothing that runs', async () => {
    const answer = await fetch(`${local.service.baseUrl}/`, { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    const page = await answer.text();
    for (const path of ['/explorer', '/openapi.json', '/health']) expect(page).toContain(`href="${path}"`);
  });
});

describe('the files of the explorer', () => {
  test.each([...PAGE, ...LIBRARY])('%s comes with a strict policy and can be cached', async (path) => {
    const answer = await fetch(`${local.service.baseUrl}${path}`);
    expect(answer.status).toBe(200);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('cache-control')).toMatch(/^(no-cache|public, max-age=\d+)$/);
    const etag = answer.headers.get('etag') ?? '';
    await answer.arrayBuffer();
    const again = await fetch(`${local.service.baseUrl}${path}`, { headers: { 'if-none-match': etag } });
    expect({ status: again.status, text: await again.text() }).toEqual({ status: 304, text: '' });
  });

  test('are together below 600 kB on the wire, and are what they are without compression', async () => {
    let bytes = 0;
    for (const path of [...PAGE, ...LIBRARY]) {
      const get = (encoding: string) =>
        fetch(`${local.service.baseUrl}${path}`, { headers: { 'accept-encoding': encoding } });
      const zipped = await get('gzip');
      bytes += Number(zipped.headers.get('content-length'));
      // fetch has unzipped it.
      expect(await zipped.text()).toBe(await (await get('identity')).text());
    }
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(600_000);
  });

  test('name nothing on another host', async () => {
    for (const path of PAGE)
      expect(await (await fetch(`${local.service.baseUrl}${path}`)).text()).not.toMatch(/https?:\/\//);
  });

  test('are no way to others', async () => {
    const statusOf = async (path: string) => (await send(`${local.service.baseUrl}${path}`, 'GET', undefined)).status;
    expect(await statusOf('/explorer/package.json')).toBe(404);
    expect(await statusOf('/explorer/')).toBe(404);
    expect(await statusOf('/explorer/..%2fexplorer.ts')).toBe(400);
  });
});

describe('the explorer in a browser', () => {
  let browser: Browser;
  let directory: TempDir;
  /** What the page asked for, and what it or the browser complained about. */
  const requested: string[] = [];
  const complaints: string[] = [];
  let page: Page;

  beforeAll(async () => {
    const executablePath = findExecutable('chromium');
    if (executablePath === undefined)
      throw new Error('These tests need Chromium: run "apt-get install chromium", or as root let npm test do it.');
    directory = tempDir('qnsp-explorer-');
    browser = await chromium.launch({
      executablePath,
      // Debian's Chromium has no sandbox for root, and containers have little shared memory.
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    });
    page = await browser.newPage({ viewport: { width: 1280, height: 1400 } });
    page.on('request', (request) => requested.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await directory?.remove();
  });

  test('a call to encrypt that is sent from the page succeeds', { timeout: 600_000 }, async () => {
    const key = await local.call('POST', '/kms/v1/keys', { name: 'from the page' });
    await page.goto(`${local.service.baseUrl}/explorer#/Cryptography/encrypt`);
    await page.getByLabel('API token').fill(local.apiToken);
    const operation = page.locator('#operations-Cryptography-encrypt');
    await operation.locator('tr[data-param-name="keyId"] input').fill(String(key.body['keyId']));
    await operation.locator('textarea.body-param__text').fill(JSON.stringify({ plaintext: PLAINTEXT }));
    const answered = page.waitForResponse((response) => response.url().endsWith('/encrypt'));
    await operation.locator('button.execute').click();
    const answer = (await (await answered).json()) as { ciphertext: string };
    expect((await local.call('POST', '/kms/v1/decrypt', { ciphertext: answer.ciphertext })).body).toMatchObject({
      plaintext: PLAINTEXT,
    });
    const shown = operation.locator('.live-responses-table');
    await shown.getByText(answer.ciphertext.slice(0, 20)).first().waitFor();
    expect(await shown.locator('tr.response td.response-col_status').first().textContent()).toContain('200');
    const path = process.env['EXPLORER_SCREENSHOT'] ?? join(directory.path, 'encrypt.png');
    const png = await page.screenshot({ path });
    process.stderr.write(`The screenshot is ${path}\n`);
    const { width, height, colours } = await page.evaluate<Picture>(
      `(${DECODE})(${JSON.stringify(png.toString('base64'))})`,
    );
    expect({ width, height }).toEqual({ width: 1280, height: 1400 });
    // A page that stayed empty, or without its style, has next to none.
    expect(colours).toBeGreaterThan(50);
  });

  test('the page shows every operation of the document', async () => {
    const { paths } = (await (await fetch(`${local.service.baseUrl}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    for (const tag of await page.locator('.opblock-tag').all())
      if ((await tag.getAttribute('data-is-open')) === 'false') await tag.click();
    const operations = Object.values(paths).flatMap((methods) => Object.keys(methods));
    await expect.poll(() => page.locator('.opblock').count()).toBe(operations.length);
  });

  test('the token is nowhere but in its field', async () => {
    const text = await page.content();
    const values = await Promise.all((await page.locator('input, textarea').all()).map((field) => field.inputValue()));
    const stored = await page.evaluate<string>(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])',
    );
    // The command that the page shows for the call is one of the places.
    expect(text).toContain('curl-command');
    expect(text).not.toContain(local.apiToken);
    expect(values.filter((value) => value.includes(local.apiToken))).toEqual([local.apiToken]);
    expect(stored).not.toContain('qnsp_pqc_');
    expect(requested.filter((url) => url.includes('qnsp_pqc_'))).toEqual([]);
    await page.reload();
    expect(await page.getByLabel('API token').inputValue()).toBe('');
  });

  test('nothing is fetched from elsewhere, and the policy of the page is not in its way', () => {
    const origins = new Set(requested.filter((url) => !url.startsWith('data:')).map((url) => new URL(url).origin));
    expect([...origins]).toEqual([local.service.baseUrl]);
    expect(complaints).toEqual([]);
  });
});
