import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS } from '@qnsp/http-edge/testing';
import { costOfUse, costOfWork, resolveAlgorithm } from '@qnsp/kms-core/internal';
import { BucketLimiter } from '@qnsp/kms-core/testing';
import { expect, onTestFinished, test } from 'vitest';
import { qnsp } from './dialects.ts';

/** A service that gives out this many units and no more, and what each call takes of them. */
async function serviceWith(burst: number) {
  const under = await edgeUnderTest();
  const taken: { cost: number; paid: number }[] = [];
  const bucket = new BucketLimiter({ burst, perSecond: 1 }, () => 0);
  const rateLimiter = {
    limitsAll: true,
    take: (...[identity, operation, cost, paid = 0]: Parameters<BucketLimiter['take']>) => {
      bucket.take(identity, operation, cost, paid);
      taken.push({ cost, paid });
    },
  };
  const http = makeHttpServer({ ...under.edge, rateLimiter }, [qnsp.dialect], HTTP_LIMITS);
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
  onTestFinished(() => http.stop());
  const { port } = http.server.address() as AddressInfo;
  const ask = async (path: string, body: unknown, token = under.token) => {
    const response = await fetch(`http://127.0.0.1:${port}/kms/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...qnsp.credential(token) },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Readonly<Record<string, unknown>>;
    return { status: response.status, answer };
  };
  /** How many units a call took, from when it was known until the end of its work. */
  const costOfCall = async (path: string, body: unknown) => {
    taken.length = 0;
    const { status, answer } = await ask(path, body);
    return { status, answer, units: taken.reduce((sum, { cost, paid }) => sum + cost - paid, 0) };
  };
  return { under, ask, costOfCall };
}

const ML_DSA = resolveAlgorithm('ML-DSA-65');
const MESSAGE = { data: 'aGk=' };

test('a call takes what its work costs, whichever algorithm the key has, and a batch the sum', async () => {
  const { under, costOfCall } = await serviceWith(1_000_000);
  const made = await costOfCall('/keys', { algorithm: ML_DSA.id });
  expect(made).toMatchObject({ status: 201, units: 100 + (costOfWork(ML_DSA, 'generate') ?? NaN) - 1 });
  const key = `/keys/${String(made.answer['keyId'])}`;
  const signed = await costOfCall(`${key}/sign`, MESSAGE);
  expect(signed).toMatchObject({ status: 200, units: costOfUse(ML_DSA, 'sign') });
  const verified = await costOfCall(`${key}/verify`, { ...MESSAGE, signature: signed.answer['signature'] });
  expect(verified).toMatchObject({ status: 200, units: costOfUse(ML_DSA, 'verify') });
  const items = Array.from({ length: 20 }, () => MESSAGE);
  expect(await costOfCall(`${key}/sign`, { items })).toMatchObject({
    status: 200,
    units: 20 * costOfUse(ML_DSA, 'sign'),
  });
  const encrypted = await costOfCall(`/keys/${under.keyId}/encrypt`, { plaintext: 'aGk=' });
  expect(encrypted).toMatchObject({ status: 200, units: 1 });
});

test('what costs more than there is is refused before anything of it is done, and takes nothing', async () => {
  const cost = costOfUse(ML_DSA, 'sign');
  const { under, ask, costOfCall } = await serviceWith(100 + (costOfWork(ML_DSA, 'generate') ?? 0) + 3 * cost);
  const { answer } = await ask('/keys', { algorithm: ML_DSA.id });
  const path = `/keys/${String(answer['keyId'])}/sign`;
  under.events.length = 0;
  for (let round = 0; round < 3; round += 1) {
    const refused = await costOfCall(path, { items: Array.from({ length: 4 }, () => MESSAGE) });
    expect(refused).toMatchObject({ status: 429, answer: { code: 'TOO_MANY_REQUESTS', routeId: 'sign' } });
  }
  // One event, and none for each time that somebody asks again.
  expect(under.events).toMatchObject([{ eventType: 'kms.access.denied', errorCode: 'TOO_MANY_REQUESTS' }]);
  expect(await costOfCall(path, { items: [MESSAGE, MESSAGE, MESSAGE] })).toMatchObject({ status: 200 });
  expect(await costOfCall(path, MESSAGE)).toMatchObject({ status: 429 });
});

test('a call that is not permitted is not paid for as if its work were done', async () => {
  const { under, ask, costOfCall } = await serviceWith(1_000_000);
  const { answer } = await ask('/keys', { algorithm: ML_DSA.id });
  const { token } = await under.issue('auditor');
  const path = `/keys/${String(answer['keyId'])}/sign`;
  expect((await ask(path, MESSAGE, token)).status).toBe(403);
  // Its own call is all that the last one paid for.
  expect(await costOfCall('/keys/none/sign', MESSAGE)).toMatchObject({ units: 1 });
});

test('nothing is asked of a limiter for those who are held to nothing', async () => {
  const under = await edgeUnderTest();
  const asked: string[] = [];
  const rateLimiter = { limitsAll: false, take: (_identity: unknown, operation: string) => void asked.push(operation) };
  const http = makeHttpServer({ ...under.edge, rateLimiter }, [qnsp.dialect], HTTP_LIMITS);
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
  onTestFinished(() => http.stop());
  const { port } = http.server.address() as AddressInfo;
  const encrypt = () =>
    fetch(`http://127.0.0.1:${port}${qnsp.encryptPath(under.keyId)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...qnsp.credential(under.token) },
      body: qnsp.encryptBody(under.keyId, Buffer.from('hi')),
    });
  expect((await encrypt()).status).toBe(200);
  expect(asked).toEqual([]);
  rateLimiter.limitsAll = true;
  expect((await encrypt()).status).toBe(200);
  expect(asked).toEqual(['encrypt']);
});
