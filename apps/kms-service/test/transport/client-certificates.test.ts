import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeAuthority, tempDir, type TestCertificate, trustAuthority } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type Answer, type LocalService, startLocalService } from '../local-service.ts';

const directory = tempDir('qnsp-client-certificates-');
const authority = makeAuthority(directory.path, 'authority');
const clients = makeAuthority(directory.path, 'clients');
const server = authority.issue('kms');
const revoked = join(directory.path, 'revoked.pem');
let local: LocalService;

beforeAll(async () => {
  trustAuthority(authority);
  copyFileSync(clients.revocations(), revoked);
  local = await startLocalService({
    KMS_TLS_CERT_FILE: server.certificate,
    KMS_TLS_KEY_FILE: server.key,
    KMS_TLS_CLIENT_CA_FILE: clients.certificate,
    KMS_TLS_CRL_FILE: revoked,
  });
});
afterAll(async () => {
  await local.end();
  await directory.remove();
});

const agents: Agent[] = [];
afterEach(() => {
  for (const agent of agents.splice(0)) agent.destroy();
});

const issue = (name: string) =>
  clients.issue(name, { names: `URI:spiffe://acme.example/${name}`, extensions: ['extendedKeyUsage=clientAuth'] });
/** Calls over one connection, which the certificate was looked at for once. */
function by({ certificate, key }: TestCertificate) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, cert: readFileSync(certificate), key: readFileSync(key) });
  agents.push(agent);
  return async (method: string, path: string, headers = {}): Promise<Pick<Answer, 'status' | 'body'>> => {
    const sent = request({ agent, host: '127.0.0.1', port: local.service.port, method, path, headers });
    sent.end();
    // What the event carries.
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, body: JSON.parse(await text(answer)) as Answer['body'] };
  };
}
const bind = async (name: string): Promise<string> => {
  const match = { 'san.uri': `spiffe://acme.example/${name}` };
  const created = await local.call('POST', '/kms/v1/identity-bindings', { issuer: 'mtls', match, role: 'auditor' });
  expect(created.status).toBe(201);
  return String(created.body['bindingId']);
};

test('a certificate is a credential as far as bindings say, over one connection, and no longer within a second', async () => {
  const call = by(issue('payments'));
  expect((await call('GET', '/kms/v1/keys')).status).toBe(401);
  const bindingId = await bind('payments');
  expect((await call('GET', '/kms/v1/keys')).status).toBe(200);
  expect((await call('POST', '/kms/v1/keys')).status).toBe(403);
  expect((await local.call('DELETE', `/kms/v1/identity-bindings/${bindingId}`)).status).toBeLessThan(300);
  await sleep(1000);
  expect((await call('GET', '/kms/v1/keys')).status).toBe(401);
});

test('a certificate is a credential whatever the query has', async () => {
  await bind('queries');
  const call = by(issue('queries'));
  for (const query of ['', '?name=a', ...['"', '<', '>', '{', '}', '`', '^', '|', "'"].map((odd) => `?name=a${odd}b`)])
    expect((await call('GET', `/kms/v1/keys${query}`)).status, query).toBe(200);
});

test('a token beside a certificate that nobody bound is what it is without', async () => {
  const call = by(issue('unbound'));
  const headers = { authorization: `Bearer ${local.apiToken}` };
  expect((await call('GET', '/kms/v1/keys', headers)).status).toBe(200);
});

test('a certificate that is revoked by the list of its authority is refused when the list was read again', async () => {
  await bind('stolen');
  const stolen = issue('stolen');
  const call = by(stolen);
  expect((await call('GET', '/kms/v1/keys')).status).toBe(200);
  clients.revoke(stolen);
  copyFileSync(clients.revocations(), revoked);
  await vi.waitFor(async () => expect((await call('GET', '/kms/v1/keys').catch(() => undefined))?.status).toBe(401), {
    timeout: 20_000,
  });
});
