import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, runKms, startLocalKms } from './local-kms.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
/** One line, one sentence that ends, and nothing of a stack. */
const SENTENCE = /^\S[^\n]*[.\]]\n$/;
let kms: LocalKms;
let directory: string;
let before: readonly string[];

beforeAll(async () => {
  kms = await startLocalKms({ KMS_PLATFORM_TOKEN: PLATFORM });
  directory = join(kms.directory, 'files');
  mkdirSync(directory);
  await callKms(kms.environment, ['keys', 'create', '--name', 'files']);
  writeFileSync(at('plain'), randomBytes(3 * 2 ** 20));
  expect(await callKms(kms.environment, ['encrypt', at('plain'), '--key', 'files'])).toMatchObject({ code: EXIT.done });
  const sealed = readFileSync(at('plain.qnsp'));
  writeFileSync(at('short.qnsp'), sealed.subarray(0, sealed.length - 1000));
  writeFileSync(at('cut.qnsp'), sealed.subarray(0, 2 ** 20));
  writeFileSync(at('start.qnsp'), sealed.subarray(0, 20));
  const changed = Buffer.from(sealed);
  const middle = Math.floor(sealed.length / 2);
  changed[middle] = (sealed[middle] ?? 0) ^ 1;
  writeFileSync(at('changed.qnsp'), changed);
  writeFileSync(at('text.qnsp'), 'this was never encrypted by anybody, whatever its name says');
  before = readdirSync(directory).sort();
});
afterAll(() => kms.end());

const at = (name: string) => join(directory, name);

async function expectRefusal(environment: Readonly<Record<string, string>>, args: readonly string[], code: number) {
  const ran = await callKms(environment, args);
  expect([args[1], ran.code, ran.out]).toEqual([args[1], code, '']);
  expect(ran.err).toMatch(SENTENCE);
  expect(readdirSync(directory).sort()).toEqual(before);
  return ran.err;
}

describe('each of these ends with one sentence and without a file:', () => {
  test.each(['short', 'cut', 'start', 'changed', 'text'])('%s.qnsp', async (name) => {
    const said = await expectRefusal(kms.environment, ['decrypt', at(`${name}.qnsp`)], EXIT.data);
    expect(said).toMatch(/try again|get the whole|, unchanged/);
  });

  test('a file in a pipe that was cut off', async () => {
    const ran = await runKms(kms.environment, ['decrypt', '--out', at('out')], { input: readFileSync(at('cut.qnsp')) });
    expect(ran).toMatchObject({ code: EXIT.data, out: '', err: expect.stringMatching(SENTENCE) });
    expect(readdirSync(directory).sort()).toEqual(before);
  });

  test('a file of another tenant', async () => {
    const response = await fetch(`${kms.service.baseUrl}/kms/v1/tenants`, {
      method: 'POST',
      headers: { authorization: `Bearer ${PLATFORM}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'other' }),
    });
    const { tenantId } = (await response.json()) as { tenantId: string };
    const other = { ...kms.environment, KMS_TOKEN: PLATFORM, KMS_TENANT_ID: tenantId };
    const said = await expectRefusal(other, ['decrypt', at('plain.qnsp'), '--out', at('out')], EXIT.data);
    expect(said).toMatch(/belongs to another tenant/);
  });

  test('a wrong token, which is not repeated', async () => {
    const token = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
    const environment = { ...kms.environment, KMS_TOKEN: token };
    const said = await expectRefusal(environment, ['decrypt', at('plain.qnsp'), '--out', at('out')], EXIT.denied);
    expect(said).toMatch(/check KMS_TOKEN/);
    expect(said).not.toContain(token);
  });

  test.each([
    ['nonsense', 'x', /^The address of the service, which comes from KMS_URL, is not a URL/],
    ['ftp://kms.example', 'x', /^The address of the service, which comes from KMS_URL, must begin with https/],
    ['http://kms.example', 'x', /set KMS_ALLOW_INSECURE_HTTP=true/],
    ['https://me:word@kms.example', 'x', /pass the token in KMS_TOKEN_FILE/],
    ['https://kms.example', 'a b', /^The token, which comes from KMS_TOKEN or a token file, must be/],
  ])('the setting %s with the token %s, in words of the command line', async (url, token, said) => {
    const told = await expectRefusal({ KMS_URL: url, KMS_TOKEN: token }, ['keys', 'list'], EXIT.configuration);
    expect(told).toMatch(said);
    expect(told).not.toMatch(/baseUrl|allowInsecureHttp/);
  });

  test('what is not there, with advice that fits it', async () => {
    const refusal = (environment: Readonly<Record<string, string>>, ...args: string[]) =>
      expectRefusal({ ...kms.environment, ...environment }, args, EXIT.failed);
    const unknown = '01890a5d-ac96-774b-bcce-b302099a8057';
    expect(await refusal({}, 'keys', 'get', unknown)).toMatch(/check the id/);
    const evidence = await refusal({}, 'audit', 'events');
    expect(evidence).toMatch(/KMS_AUDIT_URL is not set/);
    expect(evidence).not.toMatch(/check the id/);
    const elsewhere = { KMS_URL: `${kms.service.baseUrl}/elsewhere`, KMS_TOKEN: PLATFORM };
    expect(await refusal(elsewhere, 'keys', 'get', unknown)).toMatch(/check KMS_URL/);
  });

  test('an imported key that is to rotate: what to do instead', async () => {
    const material = join(kms.directory, 'material');
    writeFileSync(material, randomBytes(32));
    const imported = ['import', material, '--algorithm', 'AES-256-GCM', '--name', 'brought'];
    expect(await callKms(kms.environment, imported)).toMatchObject({ code: EXIT.done });
    const said = await expectRefusal(kms.environment, ['keys', 'rotate', 'brought'], EXIT.failed);
    expect(said).toMatch(/import a new version instead/);
  });

  test('a host that does not answer', async () => {
    const environment = { KMS_URL: `http://127.0.0.1:${await freePort()}`, KMS_TOKEN: 'x' };
    const said = await expectRefusal(
      environment,
      ['encrypt', at('plain'), '--key', 'k', '--out', at('out')],
      EXIT.unavailable,
    );
    expect(said).toMatch(/ECONNREFUSED.*kms doctor/);
  });

  test('a service that asks to slow down again and again', async () => {
    let asked = 0;
    const server = createServer((_request, response) => {
      asked += 1;
      response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '0' });
      const problem = { code: 'TOO_MANY_REQUESTS', message: 'Too many requests.', statusCode: 429, requestId: 'r' };
      response.end(JSON.stringify(problem));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A server that listens on TCP has such an address.
    const { port } = server.address() as AddressInfo;
    const environment = { KMS_URL: `http://127.0.0.1:${port}`, KMS_TOKEN: 'x' };
    try {
      const said = await expectRefusal(
        environment,
        ['encrypt', at('plain'), '--key', 'k', '--out', at('out')],
        EXIT.busy,
      );
      expect(said).toMatch(/wait and run/);
      expect(asked).toBe(4);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.each([
    ['a file that is not there', ['encrypt', 'nowhere/file', '--key', 'files'], EXIT.input],
    ['a directory', ['encrypt', '.', '--key', 'files'], EXIT.input],
    [
      'a key that nobody knows',
      ['encrypt', import.meta.filename, '--key', 'nobody', '--out', '/tmp/never'],
      EXIT.failed,
    ],
  ])('%s', async (_name, args, code) => {
    await expectRefusal(kms.environment, args, code);
  });
});

describe('a place that nothing can be written to', () => {
  test('is said to be one, whoever finds it', async () => {
    const long = at('n'.repeat(300));
    for (const [out, said] of [
      [long, /name too long/],
      [at('nowhere/out'), /check its name, and that .*nowhere exists/],
      [join(at('plain'), 'below'), /not a directory|check its name/],
      ['/proc/out', /check its (?:permissions|name)/],
    ] as const) {
      const told = await expectRefusal(
        kms.environment,
        ['encrypt', at('plain'), '--key', 'files', '--out', out],
        EXIT.output,
      );
      expect(told).toMatch(said);
    }
    const source = ['encrypt', long, '--key', 'files', '--out', at('out')];
    expect(await expectRefusal(kms.environment, source, EXIT.system)).toMatch(/name too long/);
  });
});

describe('the way to the service', () => {
  test('has to be configured, with a token that is its own', async () => {
    const nothing = { KMS_DATA_DIR: at('nothing') };
    expect(await callKms(nothing, ['keys', 'list'])).toMatchObject({ code: 78, err: expect.stringMatching(/KMS_URL/) });
    const noToken = { ...kms.environment, KMS_URL: 'https://kms.example' };
    expect(await callKms(noToken, ['keys', 'list'])).toMatchObject({
      code: 78,
      err: expect.stringMatching(/no token/),
    });
    const noFile = { ...kms.environment, KMS_TOKEN_FILE: at('nothing') };
    expect(await callKms(noFile, ['keys', 'list'])).toMatchObject({ code: 78 });
  });

  test('is not read from a file that others can write, or that is damaged', async () => {
    const dataDir = join(kms.directory, 'shared');
    mkdirSync(dataDir);
    const content = JSON.stringify({ baseUrl: kms.service.baseUrl, apiToken: 'x' });
    writeFileSync(join(dataDir, 'client.json'), content, { mode: 0o600 });
    expect(await callKms({ KMS_DATA_DIR: dataDir }, ['keys', 'list'])).toMatchObject({ code: EXIT.denied });
    writeFileSync(join(dataDir, 'client.json'), '{"apiToken":"hunter2"');
    const damaged = await callKms({ KMS_DATA_DIR: dataDir }, ['keys', 'list']);
    expect(damaged).toMatchObject({ code: EXIT.configuration, err: expect.not.stringContaining('hunter2') });

    writeFileSync(join(dataDir, 'client.json'), content);
    chmodSync(join(dataDir, 'client.json'), 0o666);
    expect(await callKms({ KMS_DATA_DIR: dataDir }, ['keys', 'list'])).toMatchObject({ code: EXIT.configuration });
  });

  test('is found from a directory below the one where the service was started', async () => {
    expect(await runKms({}, ['keys', 'list'], { cwd: directory })).toMatchObject({ code: EXIT.done, err: '' });
  });
});
