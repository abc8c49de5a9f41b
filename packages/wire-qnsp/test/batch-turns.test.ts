import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS } from '@qnsp/http-edge/testing';
import { PERMISSIONS } from '@qnsp/kms-core';
import { createApiToken, createKey, KeyRing } from '@qnsp/kms-core/internal';
import { MapCache } from '@qnsp/kms-core/testing';
import { afterEach, expect, test } from 'vitest';
import { qnsp } from './dialects.ts';

const MANY = 10;

let under: Awaited<ReturnType<typeof edgeUnderTest>>;
let http: ReturnType<typeof makeHttpServer>;
/** Of another tenant than the one under test: its key, and its token. */
let other: { readonly keyId: string; readonly token: string };

/** @param atOnce without evidence and with keys in memory, so that the items of a batch are done many at a time */
async function start(atOnce: boolean): Promise<void> {
  under = await edgeUnderTest();
  const { store } = under;
  const { trail: _, kms: plain, ...edge } = under.edge;
  const keyRing = new KeyRing(store, plain.hierarchy, { feed: store.changes, memory: new MapCache() });
  const kms = atOnce ? { ...plain, keyRing } : plain;
  const caller = {
    tenantId: under.otherTenantId,
    subject: 'setup',
    permissions: new Set(PERMISSIONS),
    attributes: { ip: null, mfa: false },
  };
  const { keyId } = await createKey({ kms, caller }, { name: 'notes' });
  const { token } = await createApiToken({ kms, caller }, { name: 'other', role: 'tenant_admin' });
  other = { keyId, token };
  for (const [tenantId, id] of [
    [under.tenantId, under.keyId],
    [under.otherTenantId, keyId],
  ] as const)
    await kms.keyRing.load(tenantId, id);
  http = makeHttpServer(atOnce ? { ...edge, kms } : under.edge, [qnsp.dialect], {
    ...HTTP_LIMITS,
    requestTimeoutMs: 60_000,
  });
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
}
afterEach(() => http.stop());

async function sendBatch(keyId: string, token: string, length: number): Promise<unknown> {
  const { port } = http.server.address() as AddressInfo;
  const items = Array.from({ length }, (_, index) => ({
    plaintext: Buffer.from(String(index)).toString('base64'),
  }));
  const response = await fetch(`http://127.0.0.1:${port}${qnsp.encryptPath(keyId)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...qnsp.credential(token) },
    body: JSON.stringify({ items }),
  });
  expect(response.status).toBe(200);
  return response.json();
}

test.each([
  ['one by one', 200, false],
  ['many at a time', 1000, true],
] as const)(
  'batches of one tenant take turns with those of another, however many there are: %s',
  async (_, length, atOnce) => {
    await start(atOnce);
    const order: string[] = [];
    const many = Array.from({ length: MANY }, async () => {
      await sendBatch(under.keyId, under.token, length);
      order.push('many');
    });
    const one = sendBatch(other.keyId, other.token, length).then((answer) => {
      order.push('one');
      return answer;
    });
    await Promise.all([...many, one]);
    // It came last, and item by item with all others it would have ended with them.
    expect(order.indexOf('one')).toBeLessThan(MANY / 2);
    const { items } = (await one) as { readonly items: readonly { readonly ciphertext?: string }[] };
    expect(items).toHaveLength(length);
    expect(items.every(({ ciphertext }) => ciphertext !== undefined)).toBe(true);
  },
);
