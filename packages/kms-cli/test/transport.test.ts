import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EdgeGateway, makeAuthority, startEdgeGateway, tempDir, trustAuthority } from '@qnsp/test-harness';
import { diagnose } from '@qnsp/kms-service/diagnosis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../src/commands/doctor/finding.ts';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, runKms, startLocalKms } from './local-kms.ts';

const directory = tempDir('qnsp-cli-tls-');
const authority = makeAuthority(directory.path, 'authority');
const foreign = makeAuthority(directory.path, 'foreign');
const certificate = authority.issue('kms', { names: 'DNS:kms.example,IP:127.0.0.1' });
const own = authority.issue('own', { names: '', extensions: ['extendedKeyUsage=clientAuth'] });
const PASSPHRASE = ' with spaces at its ends ';
const encrypted = authority.issue('encrypted', {
  names: '',
  extensions: ['extendedKeyUsage=clientAuth'],
  passphrase: PASSPHRASE,
});
const passphraseFile = join(directory.path, 'passphrase');
const socketFile = join(directory.path, 'kms.sock');
const config = join(directory.path, 'contexts.yaml');
const tokenFile = join(directory.path, 'token');
let kms: LocalKms;
let token: string;

beforeAll(async () => {
  trustAuthority(authority);
  kms = await startLocalKms({
    KMS_TLS_CERT_FILE: certificate.certificate,
    KMS_TLS_KEY_FILE: certificate.key,
    KMS_TLS_CLIENT_CA_FILE: authority.certificate,
    KMS_LISTEN_UNIX: socketFile,
  });
  const client = JSON.parse(readFileSync(join(kms.directory, '.kms', 'client.json'), 'utf8')) as { apiToken: string };
  token = client.apiToken;
  writeFileSync(tokenFile, token, { mode: 0o600 });
  writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
}, 600_000);
afterAll(async () => {
  await kms.end();
  await directory.remove();
});

const list = (environment: Readonly<Record<string, string>>) => runKms(environment, ['keys', 'list']);
const doctor = async (environment: Readonly<Record<string, string>>) => {
  const { code, out } = await runKms(environment, ['--output', 'json', 'doctor']);
  return { code, findings: JSON.parse(out) as readonly Finding[] };
};
const trusting = () => ({ KMS_URL: kms.service.baseUrl, KMS_TOKEN: token, KMS_CA_FILE: authority.certificate });

describe('the command line', () => {
  test('trusts the authority, expects the name and shows the certificate that it is told', async () => {
    expect(await list(trusting())).toMatchObject({ code: EXIT.done });
    const { port } = kms.service;
    const named = { ...trusting(), KMS_URL: `https://localhost:${port}`, KMS_SERVER_NAME: 'kms.example' };
    expect(await list(named)).toMatchObject({ code: EXIT.done });
    const proven = { ...trusting(), KMS_CLIENT_CERT_FILE: own.certificate, KMS_CLIENT_KEY_FILE: own.key };
    expect(await list(proven)).toMatchObject({ code: EXIT.done });
    // What a local start wrote says where it is, but not whom to trust.
    expect(await list({ ...kms.environment, KMS_CA_FILE: authority.certificate })).toMatchObject({ code: EXIT.done });
  });

  test('opens an encrypted key with the passphrase in a file, in a context as well', async () => {
    const files = { KMS_CLIENT_CERT_FILE: encrypted.certificate, KMS_CLIENT_KEY_FILE: encrypted.key };
    const passphrase = { KMS_CLIENT_KEY_PASSPHRASE_FILE: passphraseFile };
    expect(await list({ ...trusting(), ...files, ...passphrase })).toMatchObject({ code: EXIT.done });
    expect(await list({ ...trusting(), ...files })).toMatchObject({
      code: EXIT.configuration,
      err: expect.stringContaining('KMS_CLIENT_KEY_PASSPHRASE_FILE'),
    });
    const environment = { KMS_CONFIG: join(directory.path, 'encrypted.yaml') };
    const options = ['--url', kms.service.baseUrl, '--token-file', tokenFile, '--ca-file', authority.certificate];
    const proven = ['--client-cert-file', encrypted.certificate, '--client-key-file', encrypted.key];
    const set = ['context', 'set', 'own', ...options, ...proven, '--client-key-passphrase-file', passphraseFile];
    expect(await callKms(environment, set)).toMatchObject({ code: EXIT.done });
    expect(await runKms(environment, ['keys', 'list'])).toMatchObject({ code: EXIT.done, err: '' });
  });

  test('reaches the socket file', async () => {
    expect(await list({ KMS_URL: `unix:${socketFile}`, KMS_TOKEN: token })).toMatchObject({ code: EXIT.done });
  });

  test('has all of it in a context as well', async () => {
    const environment = { KMS_CONFIG: config };
    const set = (name: string, ...options: readonly string[]) =>
      callKms(environment, ['context', 'set', name, '--token-file', tokenFile, ...options]);
    const proven = ['--client-cert-file', own.certificate, '--client-key-file', own.key];
    const tls = ['--ca-file', authority.certificate, '--server-name', 'kms.example', ...proven];
    expect(await set('tls', '--url', `https://localhost:${kms.service.port}`, ...tls)).toMatchObject({
      code: EXIT.done,
    });
    expect(await set('file', '--url', `unix:${socketFile}`)).toMatchObject({ code: EXIT.done });
    for (const name of ['tls', 'file'])
      expect(await runKms(environment, ['--use', name, 'keys', 'list'])).toMatchObject({ code: EXIT.done, err: '' });
  });

  test.each<readonly [string, () => Readonly<Record<string, string>>, RegExp]>([
    [
      'an authority that is not trusted',
      () => ({ ...trusting(), KMS_CA_FILE: foreign.certificate }),
      /not trusted here: trust its authority with KMS_CA_FILE/,
    ],
    ['no authority', () => ({ KMS_URL: kms.service.baseUrl, KMS_TOKEN: token }), /KMS_CA_FILE/],
    ['another name', () => ({ ...trusting(), KMS_URL: `https://localhost:${kms.service.port}` }), /KMS_SERVER_NAME/],
    [
      'HTTP in the clear',
      () => ({ ...trusting(), KMS_URL: `http://127.0.0.1:${kms.service.port}` }),
      /speaks TLS: begin KMS_URL with https/,
    ],
    [
      'a file that is not there',
      () => ({ ...trusting(), KMS_CA_FILE: '/nowhere.pem' }),
      /check that \/nowhere\.pem exists/,
    ],
    [
      'the key of another certificate',
      () => ({
        ...trusting(),
        KMS_CLIENT_CERT_FILE: own.certificate,
        KMS_CLIENT_KEY_FILE: certificate.key,
      }),
      /KMS_CLIENT_KEY_FILE/,
    ],
    [
      'a certificate without its key',
      () => ({ ...trusting(), KMS_CLIENT_CERT_FILE: own.certificate }),
      /KMS_CLIENT_KEY_FILE/,
    ],
    ['a file that is no certificate', () => ({ ...trusting(), KMS_CA_FILE: tokenFile }), /KMS_CA_FILE/],
  ])('says in one sentence what is wrong with %s', async (_name, environment, reason) => {
    const { code, err } = await list(environment());
    expect(code).toBe(EXIT.configuration);
    expect(err).toMatch(reason);
    expect(err).not.toContain(token);
    expect(err).not.toMatch(/baseUrl|\bat .*:\d+:\d+/);
  });

  test('doctor says what was agreed on, and for how long the certificate lasts', async () => {
    const { code, findings } = await doctor(trusting());
    expect(findings).toContainEqual({
      check: 'TLS',
      status: 'ok',
      message: 'TLSv1.3, key agreement by X25519MLKEM768',
    });
    expect(findings).toContainEqual({
      check: 'certificate',
      status: 'ok',
      message: expect.stringMatching(/lasts \d+ days/),
    });
    expect(findings.filter(({ status }) => status === 'wrong')).toEqual([]);
    expect(code).toBe(EXIT.done);
    const untrusted = await doctor({ ...trusting(), KMS_CA_FILE: foreign.certificate });
    expect(untrusted.code).toBe(EXIT.failed);
    expect(untrusted.findings).toContainEqual({
      check: 'service',
      status: 'wrong',
      message: expect.stringContaining('KMS_CA_FILE'),
    });
  });

  test('doctor warns of key agreement that is not post-quantum, without failing', async () => {
    let gateway: EdgeGateway | undefined;
    try {
      // The nginx of the tests does not know the hybrid group.
      gateway = await startEdgeGateway({
        upstreams: [kms.service.port],
        tls: certificate,
        upstreamTls: { ca: authority.certificate, name: 'kms.example' },
      });
      const { code, findings } = await doctor({ ...trusting(), KMS_URL: gateway.baseUrl });
      expect(findings).toContainEqual({
        check: 'TLS',
        status: 'warning',
        message: expect.stringContaining('post-quantum'),
      });
      expect(code).toBe(EXIT.done);
    } finally {
      await gateway?.server.stop();
    }
  });

  test('doctor looks at the files of the service on its host', async () => {
    const path = join(directory.path, 'soon.pem');
    const soon = authority.issue('soon', { validUntil: new Date(Date.now() + 5 * 24 * 60 * 60_000) });
    copyFileSync(soon.certificate, path);
    const of = async (environment: Readonly<Record<string, string>>) => {
      const findings = await diagnose({ KMS_EMBEDDED_DEFAULTS: 'true', ...environment });
      return findings.find(({ check }) => check === 'transport');
    };
    const files = { KMS_TLS_CERT_FILE: certificate.certificate, KMS_TLS_KEY_FILE: certificate.key };
    expect(await of(files)).toMatchObject({ status: 'ok' });
    expect(await of({ ...files, KMS_TLS_KEY_FILE: own.key })).toMatchObject({
      status: 'wrong',
      message: expect.stringMatching(/^KMS_TLS_KEY_FILE: /),
    });
    expect(await of({ KMS_TLS_CERT_FILE: path, KMS_TLS_KEY_FILE: soon.key })).toMatchObject({
      status: 'wrong',
      message: expect.stringContaining('expires in 4 days'),
    });
    expect(await of({ HOST: '0.0.0.0' })).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('plain HTTP on 0.0.0.0'),
    });
    expect(await of({})).toMatchObject({ status: 'ok' });
  });
});
