import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { jwtIssuer } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { evidenceEnv, type Receiver, startReceiver } from './evidence-sample.ts';
import { type LocalService, send, startLocalService } from './local-service.ts';

const CREDENTIAL = randomBytes(32).toString('base64');
const AGENT = 'a "curious" client/1.0';
const issuer = jwtIssuer({ maxLifetimeSeconds: 7200 });
/** Somebody who says the same of itself, and has another key. */
const forger = jwtIssuer();
let receiver: Receiver;
let local: LocalService;
let revoked: { readonly token: string; readonly tokenId: string };
let expired: { readonly token: string; readonly tokenId: string };

beforeAll(async () => {
  receiver = await startReceiver();
  local = await startLocalService({
    ...evidenceEnv(receiver.url),
    ...issuer.env,
    KMS_GATEWAY_CREDENTIAL: CREDENTIAL,
  });
  await bind('orders-*');
  await bind('ended', { expiresAt: new Date(Date.now() + 3000).toISOString() });
  const { bindingId } = await bind('removed');
  expect((await local.call('DELETE', `/kms/v1/identity-bindings/${String(bindingId)}`)).status).toBe(200);
  await local.call('POST', '/kms/v1/identity-bindings/deny', { issuer: issuer.issuer, sub: 'orders-denied' });
  const make = async (more: object) => {
    const body = { name: 'ends', role: 'auditor', ...more };
    const made = (await local.call('POST', '/kms/v1/tokens', body)).body;
    return { token: String(made['token']), tokenId: String(made['tokenId']) };
  };
  revoked = await make({});
  await local.call('POST', `/kms/v1/tokens/${revoked.tokenId}/revoke`);
  expired = await make({ expiresAt: new Date(Date.now() + 5000).toISOString() });
  await sleep(5100);
});
afterAll(async () => {
  await local.end();
  await receiver.close();
  await issuer.end();
  await forger.end();
});

async function bind(sub: string, more: object = {}) {
  const body = { issuer: issuer.issuer, match: { sub }, role: 'auditor', ...more };
  const answer = await local.call('POST', '/kms/v1/identity-bindings', body);
  expect(answer.status).toBe(201);
  return answer.body;
}

function ask(token: string | undefined, headers: Record<string, string> = {}) {
  return send(`${local.service.baseUrl}/kms/v1/keys`, 'GET', token, undefined, { 'user-agent': AGENT, ...headers });
}

/** The line that a refused call left. */
async function lineOf(answer: Awaited<ReturnType<typeof ask>>): Promise<Record<string, unknown>> {
  expect(answer).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
  const id = String(answer.body['requestId']);
  return vi.waitFor(
    () => {
      const line = local.service
        .logs()
        .split('\n')
        .find((one) => one.includes(id));
      if (line === undefined) throw new Error('no line yet');
      return JSON.parse(line) as Record<string, unknown>;
    },
    { timeout: 20_000 },
  );
}

const denied = (actor: string) =>
  receiver
    .lines(local.tenantId)
    .filter((line) => line.includes('"kms.access.denied"') && line.includes(`"id":"${actor}"`))
    .map((line) => (JSON.parse(line) as { event: { event: Record<string, unknown> } }).event.event);

describe('a call that is not let in', () => {
  test('leaves a line that says from where, by what, and whose token it was', async () => {
    const unknown = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
    for (const [token, subject] of [
      [undefined, undefined],
      ['something', undefined],
      [unknown, undefined],
      [revoked.token, revoked.tokenId],
      [expired.token, expired.tokenId],
    ] as const) {
      const line = await lineOf(await ask(token));
      expect(line).toMatchObject({ status: 401, code: 'UNAUTHORIZED', userAgent: AGENT, address: '127.0.0.1' });
      expect(line['subject']).toBe(subject);
      expect(line['tenantId']).toBe(subject === undefined ? undefined : local.tenantId);
    }
    expect(local.service.logs()).not.toContain(unknown);
    expect(local.service.logs()).not.toContain(revoked.token);
  });

  test('is answered alike, whoever it was', async () => {
    const bodies = [];
    for (const token of [`qnsp_pqc_${'A'.repeat(43)}`, revoked.token, expired.token]) {
      const { requestId: _id, timestamp: _at, ...body } = (await ask(token)).body;
      bodies.push(body);
    }
    expect(bodies[1]).toEqual(bodies[0]);
    expect(bodies[2]).toEqual(bodies[0]);
  });

  test('is said to come from where the gateway has it', async () => {
    const gateway = { 'x-qnsp-gateway-credential': CREDENTIAL, 'x-forwarded-for': '192.0.2.7' };
    expect(await lineOf(await ask(undefined, gateway))).toMatchObject({ address: '192.0.2.7' });
    const other = { ...gateway, 'x-qnsp-gateway-credential': 'A'.repeat(44) };
    expect(await lineOf(await ask(undefined, other))).toMatchObject({ address: '127.0.0.1' });
  });

  test('leaves evidence when its token is known, once in a while, and none when it is not', async () => {
    for (let call = 0; call < 50; call += 1) {
      expect((await ask(revoked.token)).status).toBe(401);
      expect((await ask(`qnsp_pqc_${randomBytes(32).toString('base64url')}`)).status).toBe(401);
    }
    await vi.waitFor(
      () => {
        for (const { tokenId } of [revoked, expired])
          expect(denied(tokenId)).toMatchObject([
            {
              tenantId: local.tenantId,
              result: 'denied',
              errorCode: 'UNAUTHORIZED',
              action: 'listKeys',
              actor: { type: 'service', id: tokenId },
              context: { ip: '127.0.0.1', userAgent: AGENT },
            },
          ]);
      },
      { timeout: 15_000, interval: 100 },
    );
    // Every event that there is came of a call with a token that is known.
    const strangers = receiver.lines(local.tenantId).filter((line) => line.includes('"UNAUTHORIZED"'));
    expect(strangers).toHaveLength(2);
  });
});

describe('a JSON Web Token that is not let in', () => {
  const now = Math.floor(Date.now() / 1000);
  const known: readonly (readonly [why: string, sub: string, claims: object])[] = [
    ['expired', 'orders-expired', { iat: now - 600, exp: now - 300 }],
    ['not-yet-valid', 'orders-early', { nbf: now + 1800 }],
    ['lifetime', 'orders-long', { exp: now + 7500 }],
    ['audience', 'orders-elsewhere', { aud: 'https://other.example' }],
    ['denied', 'orders-denied', { iat: now - 60 }],
    ['binding-expired', 'ended', {}],
    ['binding-removed', 'removed', {}],
  ];
  const eventsOf = (sub: string) => denied(`${issuer.issuer}#${sub}`);

  test('leaves evidence in the tenant that knows whose it is, if its issuer has signed it, and nothing of itself', async () => {
    const strangers: string[] = [];
    const presented: string[] = [];
    for (const [, sub, claims] of known) {
      const unsigned = `forged-${sub}`;
      const [token, forged] = [issuer.token(sub, claims), forger.token(sub, claims)];
      const [header = '', payload = ''] = issuer.token(`orders-${unsigned}`, claims).split('.');
      strangers.push(
        forger.token(`orders-${unsigned}`, claims),
        `${header}.${payload}.${forged.split('.')[2] ?? ''}`,
        issuer.token(unsigned, claims),
      );
      presented.push(token);
      const line = await lineOf(await ask(token));
      expect(line).toMatchObject({ subject: `${issuer.issuer}#${sub}`, tenantId: local.tenantId });
    }
    for (const token of strangers) expect((await lineOf(await ask(token)))['subject']).toBeUndefined();
    await vi.waitFor(
      () => {
        for (const [refusedFor, sub] of known)
          expect(eventsOf(sub)).toMatchObject([
            { tenantId: local.tenantId, errorCode: 'UNAUTHORIZED', refusedFor, actor: { type: 'workload' } },
          ]);
      },
      { timeout: 15_000, interval: 100 },
    );
    const evidence = receiver.lines(local.tenantId).join('\n');
    expect(evidence).not.toContain('forged-');
    for (const part of presented.flatMap((token) => token.split('.').slice(1))) {
      expect(evidence).not.toContain(part);
      expect(local.service.logs()).not.toContain(part);
    }
  });

  test('leaves no more by coming often, and another event tells how often it came', async () => {
    const [, sub, claims] = known[0] ?? [];
    for (let call = 0; call < 30; call += 1) expect((await ask(issuer.token(String(sub), claims))).status).toBe(401);
    const other = `orders-${randomUUID()}`;
    await ask(issuer.token(other, claims));
    const told = await vi.waitFor(
      () => {
        const [event] = eventsOf(other);
        if (event === undefined) throw new Error('no event yet');
        return event;
      },
      { timeout: 15_000, interval: 100 },
    );
    expect(told['refusedBefore']).toBeGreaterThanOrEqual(30);
    expect(eventsOf(String(sub))).toHaveLength(1);
  });
});
