import { get, type IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import { describe, expect, test } from 'vitest';
import { kmsHttp } from '../src/index.ts';
import { listen, makeKey, open, within } from './mounted-kms.ts';

const CYCLONEDX = 'application/vnd.cyclonedx+json';
const AUDITOR = { 'x-user': 'aud' };

interface Bill {
  readonly components: readonly { readonly name: string; readonly 'bom-ref': string }[];
  readonly compositions: readonly unknown[];
}

describe('a bill of materials', () => {
  test('comes from its own path, and from that of the inventory where a request accepts it by name', async () => {
    const { options } = await open();
    const { app } = kmsHttp(options);
    await makeKey(within(app));
    const typesOf = async (path: string, accept?: string) => {
      const headers = { ...AUDITOR, ...(accept === undefined ? {} : { accept }) };
      const response = await app.request(`/kms/v1${path}`, { headers });
      expect(response.status).toBe(200);
      const body = (await response.json()) as object;
      return [response.headers.get('content-type'), 'bomFormat' in body];
    };
    expect(await typesOf('/inventory/cyclonedx')).toEqual([CYCLONEDX, true]);
    expect(await typesOf('/inventory', CYCLONEDX)).toEqual([CYCLONEDX, true]);
    expect(await typesOf('/inventory', `text/html, ${CYCLONEDX.toUpperCase()};q=0.9`)).toEqual([CYCLONEDX, true]);
    expect(await typesOf('/inventory', '*/*')).toEqual(['application/json', false]);
    expect(await typesOf('/inventory')).toEqual(['application/json', false]);
    expect((await app.request('/kms/v1/inventory', { method: 'POST', headers: AUDITOR })).status).toBe(405);
  });

  test('comes in pieces of no stated length, each algorithm before the keys that use it', async () => {
    const { options } = await open();
    const mounted = kmsHttp(options).app;
    for (let made = 0; made < 3; made += 1) await makeKey(within(mounted), `key ${made}`);
    const port = await listen(new Hono().route('/', mounted));
    const response = await answered(port, '/kms/v1/inventory/cyclonedx');
    expect(response.headers).toMatchObject({ 'transfer-encoding': 'chunked', 'content-type': CYCLONEDX });
    const bill = JSON.parse(await textOf(response)) as Bill;
    expect(bill.components.map(({ name }) => name)).toEqual(['AES-256-GCM', 'key 2', 'key 1', 'key 0']);
    expect(bill.compositions).toEqual([{ aggregate: 'complete' }]);
  });
});

function answered(port: number, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ port, path, headers: AUDITOR }, resolve).on('error', reject);
  });
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  return text;
}
