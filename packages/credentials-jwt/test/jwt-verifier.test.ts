import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { effectivePermissions } from '@qnsp/kms-core';
import { credentialVerifierContract, declareContract } from '@qnsp/kms-core/testing';
import { tempDir } from '@qnsp/test-harness';
import { decodeJwt } from 'jose';
import * as vitest from 'vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AUDIENCE,
  type CountingServer,
  countingServer,
  issuerPair,
  keySet,
  type RealIssuer,
  realIssuer,
} from './issuers.ts';
import { REFUSED, verifierUnderTest } from './verifier-under-test.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const files = tempDir('qnsp-jwt-');
afterAll(() => files.remove());

/** What a cluster puts into the token of a service account that is projected into a pod. */
function serviceAccount(namespace: string, name: string, claims: object = {}): object {
  const now = Math.floor(Date.now() / 1000);
  return {
    aud: [AUDIENCE],
    exp: now + 3600,
    iat: now,
    iss: 'https://kubernetes.default.svc.cluster.local',
    jti: '4f0d0a4b-6c69-4b4e-b5a7-5f1b3c6f4d0a',
    'kubernetes.io': {
      namespace,
      node: { name: 'node-1', uid: '0f9f1c3e-8f7a-4c5f-9a54-7cbb6a1f9e1b' },
      pod: { name: `${name}-7d9f8c6b5-x2x9z`, uid: '5e0b6b0e-7f7e-4d83-8f0b-9a7c4f5d2c11' },
      serviceaccount: { name, uid: '8d0a1f6e-3b0c-4f8e-9a1f-7b2c3d4e5f60' },
      warnafter: now + 3607,
    },
    nbf: now,
    sub: `system:serviceaccount:${namespace}:${name}`,
    ...claims,
  };
}
const LONG_AGO = { exp: 1_700_000_000, iat: 1_699_999_000 };
const CLUSTER = 'https://kubernetes.default.svc.cluster.local';

declareContract(
  credentialVerifierContract('JSON Web Tokens as credentials', async () => {
    const pair = await issuerPair('key-1', 'RS256');
    const file = join(files.path, `${crypto.randomUUID()}.json`);
    writeFileSync(file, JSON.stringify({ keys: [pair.publicJwk] }));
    const f = await verifierUnderTest([{ issuer: CLUSTER, audience: AUDIENCE, jwksFile: file }]);
    const before = { iat: Math.floor(Date.now() / 1000) - 60 };
    await f.bind({ issuer: CLUSTER, match: { sub: 'system:serviceaccount:orders:*' } });
    const denied = await pair.sign(serviceAccount('orders', 'denied', before));
    await f.deny(CLUSTER, 'system:serviceaccount:orders:denied');
    return {
      verifier: f.verifier,
      live: { bearer: await pair.sign(serviceAccount('orders', 'api', before)) },
      identity: {
        subject: `${CLUSTER}#system:serviceaccount:orders:api`,
        tenantId: f.tenantId,
        credential: 'jwt',
        holds: [...effectivePermissions('key_user', [])],
      },
      unknown: [
        { bearer: await pair.sign(serviceAccount('billing', 'api')) },
        { bearer: await pair.sign(serviceAccount('billing', 'api', LONG_AGO)) },
        { bearer: await (await issuerPair('key-1', 'RS256')).sign(serviceAccount('orders', 'api')) },
        { bearer: await (await issuerPair('key-1', 'RS256')).sign(serviceAccount('orders', 'api', LONG_AGO)) },
      ],
      ended: [
        {
          presented: { bearer: denied },
          subject: `${CLUSTER}#system:serviceaccount:orders:denied`,
        },
        {
          presented: { bearer: await pair.sign(serviceAccount('orders', 'api', LONG_AGO)) },
          subject: `${CLUSTER}#system:serviceaccount:orders:api`,
        },
      ],
      foreign: [{ bearer: 'qnsp_pqc_AAAA' }, { bearer: '' }, { bearer: 'e30.e30.' }],
      end: async () => {
        await f.deny(CLUSTER, 'system:serviceaccount:orders:api');
      },
    };
  }),
  vitest,
);

describe('service accounts of a cluster, whose keys are in a file', () => {
  test('are let in by what their tokens say, inside of other claims too', async () => {
    const pair = await issuerPair('key-1', 'RS256');
    const file = join(files.path, 'cluster.json');
    writeFileSync(file, JSON.stringify({ keys: [pair.publicJwk] }));
    const f = await verifierUnderTest([{ issuer: CLUSTER, audience: AUDIENCE, jwksFile: file }]);
    await f.bind({
      issuer: CLUSTER,
      match: { '/kubernetes.io/namespace': 'orders', '/kubernetes.io/serviceaccount/name': 'a*' },
    });
    const inside = await f.verify(await pair.sign(serviceAccount('orders', 'api')));
    expect(inside?.subject).toBe(`${CLUSTER}#system:serviceaccount:orders:api`);
    for (const other of [
      serviceAccount('billing', 'api'),
      serviceAccount('orders', 'worker'),
      serviceAccount('billing', 'api', { '/kubernetes.io/namespace': 'orders' }),
    ])
      await expect(f.verify(await pair.sign(other))).rejects.toMatchObject(REFUSED);
    expect(f.refusals).toEqual(['not-bound', 'not-bound', 'not-bound']);
    // The cluster rotates its key, and somebody puts the new one into the file.
    const next = await issuerPair('key-2', 'RS256');
    writeFileSync(file, JSON.stringify({ keys: [pair.publicJwk, next.publicJwk] }));
    f.wait(31_000);
    await f.verify(await next.sign(serviceAccount('orders', 'api')));
  });
});

describe('an OpenID provider', () => {
  let issuer: RealIssuer;
  let first: Awaited<ReturnType<typeof issuerPair>>;
  beforeAll(async () => {
    first = await issuerPair('first');
    issuer = await realIssuer(first);
  });
  afterAll(() => issuer.close());
  const bound = async (settings: object = { discovery: true }) => {
    const f = await verifierUnderTest([{ issuer: issuer.url, audience: AUDIENCE, ...settings }]);
    await f.bind({ issuer: issuer.url, match: { sub: 'orders' } });
    return f;
  };

  test.each([
    ['by discovery', { discovery: true }],
    ['at an address', () => ({ jwksUrl: `${issuer.url}/jwks` })],
  ])(
    'lets its clients in by the tokens that it gives for their credentials, with its keys %s',
    async (_how, settings) => {
      issuer.rotate(first);
      const f = await bound(typeof settings === 'function' ? settings() : settings);
      const token = await issuer.token();
      expect(await f.verify(token)).toMatchObject({
        subject: `${issuer.url}#orders`,
        tenantId: f.tenantId,
        credential: 'jwt',
      });
      expect(f.verifier.verify({ bearer: token })).not.toBeInstanceOf(Promise);
      expect(f.memory.size).toBe(1);
      for (const [name] of f.memory.entries()) expect(name).not.toContain(token.slice(-20));
    },
  );

  test('that rotates its keys is asked for them by a token with an unknown one, at most once in 30 s', async () => {
    issuer.rotate(first);
    const f = await bound();
    await f.verify(await issuer.token());
    const second = await issuerPair('second');
    issuer.rotate(second, first);
    const token = await issuer.token();
    const asked = () => issuer.asked.filter((path) => path === '/jwks').length;
    const before = asked();
    for (let attempt = 0; attempt < 5; attempt += 1) await expect(f.verify(token)).rejects.toMatchObject(REFUSED);
    expect(asked()).toBe(before);
    f.wait(31_000);
    await Promise.all(Array.from({ length: 5 }, () => f.verify(token)));
    expect(asked()).toBe(before + 1);
  });

  test('that withdraws a key lets nobody in any more by what that one has signed, though it is remembered', async () => {
    issuer.rotate(first);
    const f = await bound();
    const token = await issuer.token();
    await f.verify(token);
    issuer.rotate(await issuerPair('other'));
    f.wait(11 * MINUTE);
    // Has the issuer asked, and does not wait for that.
    await f.verify(token);
    await expect.poll(() => f.verify(token).catch(() => 'refused')).toBe('refused');
    expect(f.refusals.at(-1)).toBe('unknown-key');
  });

  test('that is down is trusted by its last keys for a day', async () => {
    issuer.rotate(first);
    const f = await bound();
    await f.verify(await issuer.token());
    const [token, later] = [await issuer.token(), await issuer.token()];
    issuer.answer((_request, response) => void response.writeHead(503).end());
    f.wait(23 * HOUR);
    await f.verify(token);
    expect(f.failures.length).toBeGreaterThan(0);
    f.wait(2 * HOUR);
    await expect(f.verify(later)).rejects.toMatchObject(REFUSED);
    expect(f.refusals).toEqual(['keys-unavailable']);
    issuer.rotate(first);
    f.wait(31_000);
    await f.verify(later);
  });

  test('is no longer believed when its token has expired', async () => {
    issuer.rotate(first);
    const f = await bound();
    const token = await issuer.token();
    await f.verify(token);
    const endsAt = Number(decodeJwt(token).exp) * 1000 + 30_000;
    // With room for a machine that is slow.
    f.advance(endsAt - 15_000 - f.clock());
    await f.verify(token);
    f.advance(15_000);
    expect(() => f.verifier.verify({ bearer: token })).toThrow(expect.objectContaining(REFUSED));
    await expect(f.verify(token)).rejects.toMatchObject(REFUSED);
    expect(f.refusals).toEqual(['expired', 'expired']);
    expect(f.memory.size).toBe(0);
  });

  test('whose description names another issuer has no keys', async () => {
    issuer.rotate(first);
    const token = await issuer.token();
    issuer.answer((request, response) => {
      const body = { issuer: 'https://other.example', jwks_uri: `http://${String(request.headers.host)}/jwks` };
      response.writeHead(200).end(JSON.stringify(body));
    });
    const f = await bound();
    await expect(f.verify(token)).rejects.toMatchObject(REFUSED);
    expect(f.failures.map(String).join()).toContain('describes another issuer');
    expect(decodeJwt(token).sub).toBe('orders');
  });
});

describe('keys that are fetched', () => {
  let server: CountingServer;
  let elsewhere: CountingServer;
  let pair: Awaited<ReturnType<typeof issuerPair>>;
  beforeAll(async () => {
    [server, elsewhere, pair] = [await countingServer(), await countingServer(), await issuerPair('key')];
    elsewhere.answer(keySet(pair.publicJwk));
  });
  afterAll(async () => {
    await server.close();
    await elsewhere.close();
  });

  test.each<[string, (url: string) => Parameters<CountingServer['answer']>[0]]>([
    ['by a redirect', (url) => (_request, response) => void response.writeHead(302, { location: url }).end()],
    [
      'in more than 512 KiB',
      () => (_request, response) =>
        void response.end(JSON.stringify({ keys: [pair.publicJwk], more: 'x'.repeat(600_000) })),
    ],
    ['with a member that occurs twice', () => (_request, response) => void response.end('{"keys":[],"keys":[]}')],
    ['in what is no JSON', () => (_request, response) => void response.end('<html>')],
    [
      'more than 100 of them',
      () => keySet(...Array.from({ length: 101 }, (_, index) => ({ ...pair.publicJwk, kid: `${index}` }))),
    ],
  ])('%s are not taken', async (_how, answer) => {
    server.answer(answer(elsewhere.url));
    const f = await verifierUnderTest([{ issuer: CLUSTER, audience: AUDIENCE, jwksUrl: server.url }]);
    await f.bind({ issuer: CLUSTER, match: { sub: 'system:*' } });
    await expect(f.verify(await pair.sign(serviceAccount('orders', 'api')))).rejects.toMatchObject(REFUSED);
    expect(f.refusals).toEqual(['keys-unavailable']);
    expect(f.failures).toHaveLength(1);
    expect(elsewhere.asked).toEqual([]);
  });

  test('are not waited for longer than 5 seconds', async () => {
    server.answer(() => undefined);
    const f = await verifierUnderTest([{ issuer: CLUSTER, audience: AUDIENCE, jwksUrl: server.url }]);
    const begun = performance.now();
    await expect(f.verify(await pair.sign(serviceAccount('orders', 'api')))).rejects.toMatchObject(REFUSED);
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(f.failures).toHaveLength(1);
  });

  test.each<[string, object]>([
    ['for encryption', { use: 'enc' }],
    ['for another algorithm', { alg: 'ES384' }],
    ['for signing only', { key_ops: ['sign'] }],
    ['of another id', { kid: 'other' }],
    ['that is private', { d: 'AAAA' }],
  ])('%s verify nothing', async (_what, change) => {
    server.answer(keySet({ ...pair.publicJwk, ...change }));
    const f = await verifierUnderTest([{ issuer: CLUSTER, audience: AUDIENCE, jwksUrl: server.url }]);
    await expect(f.verify(await pair.sign(serviceAccount('orders', 'api')))).rejects.toMatchObject(REFUSED);
    expect(['unknown-key', 'keys-unavailable']).toContain(f.refusals[0]);
  });

  test('are chosen without an id only where one of them fits', async () => {
    const other = await issuerPair('other');
    const token = await pair.sign(serviceAccount('orders', 'api'), { kid: undefined });
    for (const [keys, isTaken] of [
      [[pair.publicJwk], true],
      [[pair.publicJwk, other.publicJwk], false],
    ] as const) {
      server.answer(keySet(...keys));
      const f = await verifierUnderTest([{ issuer: CLUSTER, audience: AUDIENCE, jwksUrl: server.url }]);
      await f.bind({ issuer: CLUSTER, match: { sub: 'system:*' } });
      const outcome = await f.verify(token).then(
        () => true,
        () => false,
      );
      expect(outcome).toBe(isTaken);
    }
  });
});
