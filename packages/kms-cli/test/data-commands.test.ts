import { generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '@qnsp/kms-contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { MESSAGE_BYTES } from '../src/files/small-data.ts';
import { callKms, type LocalKms, startLocalKms } from './local-kms.ts';

let kms: LocalKms;
let directory: string;
beforeAll(async () => {
  kms = await startLocalKms();
  directory = join(kms.directory, 'data');
  mkdirSync(directory);
  for (const [name, algorithm] of Object.entries({ signer: 'ML-DSA-65', wrapper: 'AES-256-GCM' }))
    expect(await call('keys', 'create', '--name', name, '--algorithm', algorithm)).toMatchObject({ code: EXIT.done });
});
afterAll(() => kms.end());

const call = (...args: string[]) => callKms(kms.environment, args);
const at = (name: string) => join(directory, name);

describe('kms sign and verify', () => {
  test('hold for the same file, key and context, and for nothing else', async () => {
    writeFileSync(at('contract'), 'I owe you 10');
    expect(await call('sign', at('contract'), '--key', 'signer', '--context', 'debt')).toMatchObject({
      code: EXIT.done,
    });
    const verify = ['verify', at('contract'), '--key', 'signer', '--context'];
    expect(await call(...verify, 'debt')).toMatchObject({ code: EXIT.done, out: expect.stringMatching(/yes/) });
    expect(await call(...verify, 'gift')).toMatchObject({
      code: EXIT.data,
      err: expect.stringMatching(/do not trust/),
    });
    writeFileSync(at('contract'), 'I owe you 99');
    expect(await call(...verify, 'debt')).toMatchObject({ code: EXIT.data, out: expect.stringMatching(/no/) });
  });

  test('take the digest that was made elsewhere, with the signature of the message', async () => {
    await call('keys', 'create', '--name', 'digests', '--algorithm', 'ECDSA-P-256');
    const message = 'a file that is too large to be sent';
    writeFileSync(at('message'), message);
    writeFileSync(at('digest'), hash('sha384', message, 'buffer'));
    const options = ['--key', 'digests', '--hash', 'sha384'];
    expect(await call('sign', at('digest'), ...options, '--digest')).toMatchObject({ code: EXIT.done, err: '' });
    const valid = { code: EXIT.done, out: expect.stringMatching(/yes/) };
    expect(await call('verify', at('digest'), ...options, '--digest')).toMatchObject(valid);
    expect(await call('verify', at('message'), ...options, '--signature', at('digest.sig'))).toMatchObject(valid);
    expect(await call('verify', at('digest'), ...options)).toMatchObject({ code: EXIT.data });
    const signed = await call('sign', at('digest'), '--key', 'signer', '--digest', '--out', at('none'));
    expect(signed).toMatchObject({ code: EXIT.usage, err: expect.stringContaining('external mu') });
  });

  test('take as much as the contract allows and no more', async () => {
    expect(MESSAGE_BYTES).toBe(LIMITS.messageBytes);
    writeFileSync(at('large'), randomBytes(MESSAGE_BYTES));
    expect(await call('sign', at('large'), '--key', 'signer')).toMatchObject({ code: EXIT.done, err: '' });
    writeFileSync(at('larger'), randomBytes(MESSAGE_BYTES + 1));
    expect(await call('sign', at('larger'), '--key', 'signer')).toMatchObject({
      code: EXIT.usage,
      err: expect.stringMatching(/782336 bytes: .* digest/),
    });
  });
});

describe('kms wrap and unwrap', () => {
  test('give a key back under the same associated data only', async () => {
    const key = randomBytes(32);
    writeFileSync(at('key'), key);
    const options = ['--key', 'wrapper', '--associated-data'];
    expect(await call('wrap', at('key'), ...options, 'db')).toMatchObject({ code: EXIT.done, out: '', err: '' });
    const other = await call('unwrap', at('key.wrapped'), ...options, 'log', '--out', at('back'));
    expect(other).toMatchObject({ code: EXIT.data });
    expect(statSync(at('back'), { throwIfNoEntry: false })).toBeUndefined();
    expect(await call('unwrap', at('key.wrapped'), ...options, 'db', '--out', at('back'))).toMatchObject({ code: 0 });
    expect(Buffer.compare(readFileSync(at('back')), key)).toBe(0);
    expect(statSync(at('back')).mode & 0o777).toBe(0o600);
  });
});

describe('kms import', () => {
  test('takes raw keys and private keys in PEM, and a new version of an imported key', async () => {
    writeFileSync(at('raw'), randomBytes(32));
    const imported = await call('import', at('raw'), '--algorithm', 'AES-256-GCM', '--name', 'brought');
    expect(imported).toMatchObject({ code: EXIT.done, out: expect.stringContaining('aes-256-gcm') });
    writeFileSync(at('next'), randomBytes(32));
    const next = ['import', at('next'), '--algorithm', 'AES-256-GCM', '--key', 'brought'];
    expect(JSON.parse((await call('--output', 'json', ...next)).out)).toMatchObject({
      currentVersion: 2,
      versions: [{ origin: 'imported' }, { origin: 'imported' }],
    });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(at('pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(await call('import', at('pem'), '--algorithm', 'ECDSA-P-256')).toMatchObject({ code: EXIT.done, err: '' });
    writeFileSync(
      at('pem'),
      privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }),
    );
    expect(await call('import', at('pem'), '--algorithm', 'ECDSA-P-256')).toMatchObject({ code: EXIT.data });
  });

  test('takes a PEM file with more in it than the key, and says what is wrong with one', async () => {
    const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(at('bag'), `\ufeff\nBag Attributes\n    friendlyName: k\nKey Attributes: <No Attributes>\n${pem}`);
    expect(await call('import', at('bag'), '--algorithm', 'Ed25519')).toMatchObject({ code: EXIT.done, err: '' });
    writeFileSync(at('empty'), '');
    expect(await call('import', at('empty'), '--algorithm', 'Ed25519')).toMatchObject({
      code: EXIT.data,
      err: `${at('empty')} is empty.\n`,
    });
    const secret = await call('import', at('bag'), '--algorithm', 'HMAC-SHA-256');
    expect(secret).toMatchObject({ code: EXIT.usage, err: expect.stringMatching(/container .* and not a secret/) });
  });

  test('takes an HMAC secret of another length than the digest', async () => {
    writeFileSync(at('hmac'), randomBytes(100));
    expect(await call('import', at('hmac'), '--algorithm', 'HMAC-SHA-256')).toMatchObject({ code: EXIT.done, err: '' });
    writeFileSync(at('hmac'), randomBytes(13));
    expect(await call('import', at('hmac'), '--algorithm', 'HMAC-SHA-256')).toMatchObject({
      code: EXIT.usage,
      err: expect.stringMatching(/14 to 1024 bytes, not 13/),
    });
  });
});

describe('kms tokens', () => {
  test('makes a token that works until it is revoked, and shows it once', async () => {
    const path = at('token');
    const create = [
      '--output',
      'json',
      'tokens',
      'create',
      '--name',
      'job',
      '--role',
      'key_user',
      '--token-file',
      path,
    ];
    const made = await call(...create);
    expect(made).toMatchObject({ code: EXIT.done, err: '' });
    const token = readFileSync(path, 'utf8').trim();
    expect(made.out).not.toContain(token);
    const { tokenId } = JSON.parse(made.out) as { tokenId: string };
    const environment = { ...kms.environment, KMS_TOKEN_FILE: path };
    expect(await callKms(environment, ['keys', 'list'])).toMatchObject({ code: EXIT.done });
    expect(await callKms(environment, ['keys', 'create'])).toMatchObject({ code: EXIT.denied });
    expect((await call('tokens', 'list')).out).toMatch(new RegExp(`${tokenId}  job  +key_user`));
    expect(await call('tokens', 'revoke', tokenId)).toMatchObject({ code: EXIT.done });
    expect(await callKms(environment, ['keys', 'list'])).toMatchObject({ code: EXIT.denied });
    expect(await call(...create)).toMatchObject({ code: EXIT.output });
    expect((await call('tokens', 'create', '--name', 'seen', '--role', 'auditor')).out).toContain('qnsp_pqc_');
  });
});
