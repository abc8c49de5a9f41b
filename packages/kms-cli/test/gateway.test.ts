import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKmsClient } from '@qnsp/kms-client';
import { createEnvelope } from '@qnsp/kms-client/envelope';
import { type EdgeGateway, freePort, startEdgeGateway } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../src/commands/doctor/finding.ts';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, runKms, startLocalKms } from './local-kms.ts';

let kms: LocalKms;
let edge: EdgeGateway;
let token: string;
beforeAll(async () => {
  kms = await startLocalKms();
  edge = await startEdgeGateway({ upstreams: [kms.service.port] });
  ({ apiToken: token } = JSON.parse(readFileSync(join(kms.directory, '.kms', 'client.json'), 'utf8')) as {
    apiToken: string;
  });
});
afterAll(async () => {
  await edge.server.stop();
  await kms.end();
});

/** What is started for one test only. */
const gateways: EdgeGateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map(({ server }) => server.stop()));
});

describe.each(['', '/proxy/kms'])('through the gateway, with the path %j,', (path) => {
  const environment = () => ({ KMS_URL: `${edge.baseUrl}${path}`, KMS_TOKEN: token });

  test('the command line does what it does without, and doctor finds nothing wrong', async () => {
    const name = `behind ${path}`;
    expect(await callKms(environment(), ['keys', 'create', '--name', name])).toMatchObject({ code: EXIT.done });
    const content = randomBytes(1_200_000);
    const sealed = await runKms(environment(), ['encrypt', '--key', name], { input: content });
    const opened = await runKms(environment(), ['decrypt'], { input: sealed.bytes });
    expect(opened.err).toBe('');
    expect(Buffer.compare(opened.bytes, content)).toBe(0);
    const { code, out } = await callKms(environment(), ['--output', 'json', 'doctor']);
    const findings = JSON.parse(out) as readonly Finding[];
    expect(findings.filter(({ status }) => status === 'wrong')).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(['service', 'clock', 'token']));
    expect(code).toBe(EXIT.done);
  });

  test('the client does what it does without', async () => {
    const client = createKmsClient({ baseUrl: `${edge.baseUrl}${path}`, token });
    expect(await client.getHealth()).toMatchObject({ status: 'ok', service: 'kms-service' });
    const { keyId } = await client.createKey({});
    const plaintext = new TextEncoder().encode('behind a gateway');
    const { ciphertext } = await client.encrypt({ keyId, plaintext });
    expect((await client.decrypt({ ciphertext })).plaintext).toEqual(plaintext);
    const envelope = createEnvelope(client);
    expect(await envelope.decrypt(await envelope.encrypt(plaintext, { keyId }))).toEqual(plaintext);
  });
});

test('without a service behind the gateway a command says so, and that it may pass', async () => {
  const alone = await startEdgeGateway({ upstreams: [await freePort()] });
  gateways.push(alone);
  const environment = { KMS_URL: alone.baseUrl, KMS_TOKEN: token };
  const ran = await callKms(environment, ['keys', 'list']);
  expect(ran).toMatchObject({
    code: EXIT.unavailable,
    err: expect.stringMatching(/^The service did not answer: .*BAD_GATEWAY/),
  });
});

test('a gateway with TLS keeps the token off the wire, and needs a certificate that is known', async () => {
  const [certificate, key] = [join(kms.directory, 'tls.pem'), join(kms.directory, 'tls.key')];
  const made = spawnSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=kms',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { encoding: 'utf8' },
  );
  expect(made.status, made.stderr).toBe(0);
  const secure = await startEdgeGateway({ upstreams: [kms.service.port], tls: { certificate, key } });
  gateways.push(secure);
  writeFileSync(join(kms.directory, 'token'), token);
  const environment = { KMS_URL: secure.baseUrl, KMS_TOKEN_FILE: join(kms.directory, 'token') };
  const known = { ...environment, NODE_EXTRA_CA_CERTS: certificate };
  expect(await runKms(known, ['keys', 'list'])).toMatchObject({ code: EXIT.done, err: '' });
  expect(await runKms(environment, ['keys', 'list'])).toMatchObject({ code: EXIT.configuration });
  const plain = { ...environment, KMS_URL: secure.baseUrl.replace('https:', 'http:') };
  expect((await runKms(plain, ['keys', 'list'])).code).not.toBe(EXIT.done);
  const { stdout } = spawnSync('openssl', ['s_client', '-connect', secure.baseUrl.replace('https://', ''), '-tls1_1'], {
    encoding: 'utf8',
    input: '',
  });
  expect(stdout).toContain('no peer certificate available');
});
