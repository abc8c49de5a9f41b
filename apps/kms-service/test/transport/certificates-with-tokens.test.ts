import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { jwtIssuer, makeAuthority, tempDir, type TestCertificate, trustAuthority } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { evidenceEnv, type Receiver, startReceiver } from '../evidence-sample.ts';
import { type Answer, type LocalService, startLocalService } from '../local-service.ts';

const directory = tempDir('qnsp-certificates-with-tokens-');
const authority = makeAuthority(directory.path, 'authority');
const clients = makeAuthority(directory.path, 'clients');
const server = authority.issue('kms');
const issuer = jwtIssuer();
const issue = (name: string) =>
  clients.issue(name, { names: `URI:spiffe://acme.example/${name}`, extensions: ['extendedKeyUsage=clientAuth'] });
const [orders, billing] = [issue('orders'), issue('billing')];
let receiver: Receiver;
let local: LocalService;
let keyId: string;

beforeAll(async () => {
  trustAuthority(authority);
  receiver = await startReceiver();
  local = await startLocalService({
    ...evidenceEnv(receiver.url),
    ...issuer.env,
    KMS_TLS_CERT_FILE: server.certificate,
    KMS_TLS_KEY_FILE: server.key,
    KMS_TLS_CLIENT_CA_FILE: clients.certificate,
  });
  keyId = String((await local.call('POST', '/kms/v1/keys', { name: 'orders' })).body['keyId']);
  await bind({ match: { sub: 'orders-*' }, certificate: { 'san.uri': 'spiffe://acme.example/orders' } });
  await bind({ match: { sub: 'bound-*' } });
});
afterAll(async () => {
  await local.end();
  await receiver.close();
  await Promise.all([issuer.end(), directory.remove()]);
});

const agents: Agent[] = [];
afterEach(() => {
  for (const agent of agents.splice(0)) agent.destroy();
});

async function bind(more: object) {
  const made = await local.call('POST', '/kms/v1/identity-bindings', {
    issuer: issuer.issuer,
    role: 'key_user',
    ...more,
  });
  expect(made.status).toBe(201);
}

/** Calls over one connection, whose client has this certificate. */
function by(own?: TestCertificate) {
  const pair = own && { cert: readFileSync(own.certificate), key: readFileSync(own.key) };
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...pair });
  agents.push(agent);
  return async (
    token: string | undefined,
    path: string,
    body?: object,
    headers = {},
  ): Promise<Pick<Answer, 'status' | 'body'>> => {
    const sent = request({
      agent,
      host: '127.0.0.1',
      port: local.service.port,
      method: body === undefined ? 'GET' : 'POST',
      path,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    // What the event carries.
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, body: JSON.parse(await text(answer)) as Answer['body'] };
  };
}

/** What a call is answered with on the ways that a request may take: read from the connection, by `node:http`, and a list. */
async function statusesOf(call: ReturnType<typeof by>, token: string | undefined, headers = {}): Promise<number[]> {
  const plaintext = Buffer.from('data').toString('base64');
  return [
    (await call(token, `/kms/v1/keys/${keyId}/encrypt`, { plaintext }, headers)).status,
    (await call(token, `/kms/v1/keys/${keyId}/encrypt`, { plaintext }, { ...headers, 'x-unknown': 'a' })).status,
    (await call(token, '/kms/v1/keys', undefined, headers)).status,
  ];
}
const denied = (sub: string) =>
  receiver
    .lines(local.tenantId)
    .filter((line) => line.includes('"kms.access.denied"') && line.includes(`"id":"${issuer.issuer}#${sub}"`))
    .map((line) => (JSON.parse(line) as { event: { event: Record<string, unknown> } }).event.event);
const digestOf = ({ certificate }: TestCertificate) =>
  Buffer.from(new X509Certificate(readFileSync(certificate)).fingerprint256.replaceAll(':', ''), 'hex').toString(
    'base64url',
  );

describe('a token', () => {
  test('that a binding takes only beside a certificate is nothing on another connection, and its refusal is in evidence', async () => {
    const token = issuer.token('orders-api');
    expect(await statusesOf(by(orders), token)).toEqual([200, 200, 200]);
    for (const thief of [by(), by(billing)]) expect(await statusesOf(thief, token)).toEqual([401, 401, 401]);
    expect(await statusesOf(by(orders), undefined)).toEqual([401, 401, 401]);
    await vi.waitFor(
      () => expect(denied('orders-api')).toMatchObject([{ errorCode: 'UNAUTHORIZED', refusedFor: 'certificate' }]),
      { timeout: 20_000, interval: 100 },
    );
  });

  test('that is bound to a certificate by its issuer is nothing on another connection, in the words of every refusal', async () => {
    const token = issuer.token('bound-api', { cnf: { 'x5t#S256': digestOf(orders) } });
    expect(await statusesOf(by(orders), token)).toEqual([200, 200, 200]);
    for (const thief of [by(), by(billing)]) {
      expect(await statusesOf(thief, token)).toEqual([401, 401, 401]);
      const { requestId: _one, timestamp: _at, ...stolen } = (await thief(token, '/kms/v1/keys')).body;
      const { requestId: _other, timestamp: _time, ...unknown } = (await thief('eyJ', '/kms/v1/keys')).body;
      expect(stolen).toEqual(unknown);
    }
    await vi.waitFor(() => expect(denied('bound-api')).toMatchObject([{ refusedFor: 'certificate' }]), {
      timeout: 20_000,
      interval: 100,
    });
  });

  test('is beside no certificate because a header says so', async () => {
    const pem = encodeURIComponent(readFileSync(orders.certificate, 'utf8'));
    const der = new X509Certificate(readFileSync(orders.certificate)).raw.toString('base64');
    const said = {
      'client-cert': `:${der}:`,
      'x-forwarded-client-cert': `Cert="${pem}";URI=spiffe://acme.example/orders`,
      'x-ssl-client-cert': pem,
      'x-client-cert': pem,
    };
    const bound = issuer.token('bound-header', { cnf: { 'x5t#S256': digestOf(orders) } });
    for (const token of [issuer.token('orders-header'), bound, undefined])
      for (const call of [by(), by(billing)]) expect(await statusesOf(call, token, said)).toEqual([401, 401, 401]);
  });
});
