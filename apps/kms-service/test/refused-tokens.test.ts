import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { evidenceEnv, type Receiver, startReceiver } from './evidence-sample.ts';
import { type LocalService, send, startLocalService } from './local-service.ts';

const CREDENTIAL = randomBytes(32).toString('base64');
const AGENT = 'a "curious" client/1.0';
let receiver: Receiver;
let local: LocalService;
let revoked: { readonly token: string; readonly tokenId: string };
let expired: { readonly token: string; readonly tokenId: string };

beforeAll(async () => {
  receiver = await startReceiver();
  local = await startLocalService({ ...evidenceEnv(receiver.url), KMS_GATEWAY_CREDENTIAL: CREDENTIAL });
  const make = async (more: object) => {
    const body = { name: 'ends', role: 'auditor', ...more };
    const made = (await local.call('POST', '/kms/v1/tokens', body)).body;
    return { token: String(made['token']), tokenId: String(made['tokenId']) };
  };
  revoked = await make({});
  await local.call('POST', `/kms/v1/tokens/${revoked.tokenId}/revoke`);
  expired = await make({ expiresAt: new Date(Date.now() + 1000).toISOString() });
  await sleep(1100);
});
afterAll(async () => {
  await local.end();
  await receiver.close();
});

function ask(token: string | undefined, headers: Record<string, string> = {}) {
  return send(`${local.service.baseUrl}/kms/v1/keys`, 'GET', token, undefined, { 'user-agent': AGENT, ...headers });
}

/** The line that a refused call left. */
async function lineOf(answer: Awaited<ReturnType<typeof ask>>): Promise<Record<string, unknown>> {
  expect(answer).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
  const id = String(answer.body['requestId']);
  return vi.waitFor(() => {
    const line = local.service
      .logs()
      .split('\n')
      .find((one) => one.includes(id));
    if (line === undefined) throw new Error('no line yet');
    return JSON.parse(line) as Record<string, unknown>;
  });
}

const denied = (tokenId: string) =>
  receiver
    .lines(local.tenantId)
    .filter((line) => line.includes('"kms.access.denied"') && line.includes(`"id":"${tokenId}"`))
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
