import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS } from '@qnsp/http-edge/testing';
import { BucketLimiter } from '@qnsp/kms-core/testing';
import { expect, test } from 'vitest';
import { qnsp } from './dialects.ts';

test('a call takes what its operation costs, and a batch what its items do', async () => {
  const under = await edgeUnderTest();
  const rateLimiter = new BucketLimiter({ burst: 5, perSecond: 1 }, () => 0);
  const http = makeHttpServer({ ...under.edge, rateLimiter }, [qnsp.dialect], HTTP_LIMITS);
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
  const { port } = http.server.address() as AddressInfo;
  const item = { plaintext: 'aGk=' };
  const ask = async (path: string, body?: unknown) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json', ...qnsp.credential(under.token) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { code } = (await response.json()) as { readonly code?: string };
    return { status: response.status, code };
  };
  const encrypt = qnsp.encryptPath(under.keyId);
  try {
    // A read costs more than there is.
    expect(await ask('/kms/v1/keys')).toEqual({ status: 429, code: 'TOO_MANY_REQUESTS' });
    expect(await ask(encrypt, { items: [item, item, item] })).toMatchObject({ status: 200 });
    expect(await ask(encrypt, { items: [item, item, item] })).toEqual({ status: 429, code: 'TOO_MANY_REQUESTS' });
    // Nothing of the refused batch was.
    expect(await ask(encrypt, { items: [item, item] })).toMatchObject({ status: 200 });
    expect(await ask(encrypt, item)).toEqual({ status: 429, code: 'TOO_MANY_REQUESTS' });
    expect((await ask('/livez')).status).toBe(200);
    const refusal = await fetch(`http://127.0.0.1:${port}${encrypt}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...qnsp.credential(under.token) },
      body: JSON.stringify(item),
    });
    const facts = { routeId: 'encrypt', limit: 5, retryAfter: 1 };
    expect(await refusal.json()).toMatchObject({ ...facts, details: { ...facts, remaining: 0, reset: 5 } });
    const headers = ['retry-after', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'];
    expect(headers.map((name) => refusal.headers.get(name))).toEqual(['1', '5', '0', '5']);
    // Whose call it was is known. One event, as whoever calls too often goes on doing so.
    const refused = under.events.filter(({ result }) => result === 'denied');
    expect(refused).toMatchObject([
      { eventType: 'kms.access.denied', action: 'listKeys', errorCode: 'TOO_MANY_REQUESTS' },
    ]);
    expect(refused[0]?.actor.id).toBe(under.events.find(({ result }) => result === 'success')?.actor.id);
  } finally {
    await http.stop();
  }
});
