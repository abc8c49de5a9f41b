import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { type EdgeGateway, makeAuthority, startEdgeGateway, tempDir, trustAuthority } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type LocalService, send, startLocalService } from '../local-service.ts';

const directory = tempDir('qnsp-gateway-tls-');
const authority = makeAuthority(directory.path, 'authority');
const foreign = makeAuthority(directory.path, 'foreign');
const outside = authority.issue('gateway');
const inside = authority.issue('kms', { names: 'DNS:kms.internal,IP:127.0.0.1' });
const socketFile = join(directory.path, 'kms.sock');
let local: LocalService;

beforeAll(async () => {
  trustAuthority(authority);
  local = await startLocalService({
    KMS_TLS_CERT_FILE: inside.certificate,
    KMS_TLS_KEY_FILE: inside.key,
    KMS_LISTEN_UNIX: socketFile,
  });
});
afterAll(async () => {
  await local.end();
  await directory.remove();
});

let gateway: EdgeGateway | undefined;
afterEach(() => gateway?.server.stop());

const upstreamTls = { ca: authority.certificate, name: 'kms.internal' };

test('a gateway that ends TLS and encrypts again serves as it does without', async () => {
  gateway = await startEdgeGateway({ upstreams: [local.service.port], tls: outside, upstreamTls });
  const created = await send(`${gateway.baseUrl}/proxy/kms/v1/keys`, 'POST', local.apiToken, { name: 'twice' });
  expect(created.status).toBe(201);
  const path = `${gateway.baseUrl}/kms/v1/keys/${String(created.body['keyId'])}`;
  const sealed = await send(`${path}/encrypt`, 'POST', local.apiToken, { plaintext: 'aGk=' });
  const { ciphertext } = sealed.body;
  const opened = await send(`${gateway.baseUrl}/kms/v1/decrypt`, 'POST', local.apiToken, { ciphertext });
  expect(opened.body).toMatchObject({ plaintext: 'aGk=' });
  const found = await send(`${gateway.baseUrl}/kms/v1/keys?limit=1`, 'GET', local.apiToken, undefined, {
    'idempotency-key': '1',
  });
  expect(found.body['items']).toHaveLength(1);
});

test('a gateway reaches a replica by its socket file', async () => {
  // Its workers run as a user of their own where the tests run as root, which here is not in the group of the file.
  chmodSync(socketFile, 0o666);
  gateway = await startEdgeGateway({ upstreams: [{ socketFile }], tls: outside });
  expect((await send(`${gateway.baseUrl}/kms/v1/keys`, 'GET', local.apiToken)).status).toBe(200);
});

test.each([
  ['of another authority', { ...upstreamTls, ca: foreign.certificate }],
  ['for another name', { ...upstreamTls, name: 'kms.example' }],
])('a gateway passes nothing to a replica whose certificate is %s', async (_name, unfit) => {
  gateway = await startEdgeGateway({ upstreams: [local.service.port], tls: outside, upstreamTls: unfit });
  const answer = await send(`${gateway.baseUrl}/kms/v1/keys`, 'GET', local.apiToken);
  expect(answer).toMatchObject({ status: 502, body: { code: 'BAD_GATEWAY' } });
});

test('a gateway that speaks HTTP in the clear to a replica under TLS gets nothing out of it', async () => {
  gateway = await startEdgeGateway({ upstreams: [local.service.port], tls: outside });
  const answer = await fetch(`${gateway.baseUrl}/kms/v1/health`);
  expect([answer.status, await answer.text()]).toEqual([400, 'This port speaks TLS: use https.\n']);
});
