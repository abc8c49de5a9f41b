import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { raw } from './raw-session.ts';
import { environmentOf, makeToken, open, openWithRoot } from './tokens.ts';

const aad = Buffer.from('aad');
const LABEL = 'qnsp-kms-root';
/** CKR_ACTION_PROHIBITED, which has no name in pkcs11js. */
const PROHIBITED = 'CKR_VENDOR_DEFINED:27';
const WEAKENINGS = [
  ['CKA_EXTRACTABLE', true],
  ['CKA_SENSITIVE', false],
  ['CKA_WRAP', true],
  ['CKA_DERIVE', true],
] as const;

describe('the root of an HSM', () => {
  it('is never extractable, as pkcs11-tool sees it, and does nothing but encrypt and decrypt', async () => {
    const token = await makeToken();
    await openWithRoot(token);
    const listed = execFileSync(
      'pkcs11-tool',
      ['--module', token.modulePath, '--login', '--pin', token.pin, '--list-objects', '--type', 'secrkey'],
      { env: environmentOf(token), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
    expect(listed).toMatch(/AES length 32/);
    expect(listed).toMatch(new RegExp(`label:\\s+${LABEL}`));
    expect(listed).toMatch(/Usage:\s+encrypt, decrypt\n/);
    expect(listed).toMatch(/Access:\s+sensitive, always sensitive, never extractable, local\n/);
  });

  it('is made once', async () => {
    const hsm = await openWithRoot(await makeToken());
    await expect(hsm.hasRoot()).resolves.toBe(true);
    await expect(hsm.createRoot()).rejects.toMatchObject({ problem: 'root-exists' });
  });

  it('is named when it is missing', async () => {
    const hsm = await open(await makeToken(), { keyId: 'c0ffee', label: 'mine' });
    await expect(hsm.hasRoot()).resolves.toBe(false);
    await expect(hsm.root.checkValue()).rejects.toMatchObject({
      problem: 'root-not-found',
      message: expect.stringMatching(/id c0ffee and the label "mine"/),
    });
  });

  it('has the id and the label that the configuration names', async () => {
    const token = await makeToken();
    const hsm = await openWithRoot(token, { keyId: 'c0ffee', label: 'mine' });
    const byId = await open(token, { keyId: 'C0FFEE' });
    await expect(byId.root.checkValue()).resolves.toBe(await hsm.root.checkValue());
  });

  it('opens nothing any more once it is destroyed', async () => {
    const hsm = await openWithRoot(await makeToken());
    const wrapped = await hsm.root.wrap(randomBytes(32), aad);
    await hsm.destroyRoot();
    await expect(hsm.root.unwrap(wrapped, aad)).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE' });
    await expect(hsm.hasRoot()).resolves.toBe(false);
  });

  it('has for check value the start of one encrypted block, whatever tool encrypts it', async () => {
    const token = await makeToken();
    const hsm = await openWithRoot(token, { keyId: '01' });
    const directory = dirname(token.configPath);
    writeFileSync(join(directory, 'block'), 'qnsp-kms/v1/root');
    execFileSync(
      'pkcs11-tool',
      ['--module', token.modulePath, '--login', '--pin', token.pin, '--encrypt', '--id', '01', '-m', 'AES-ECB'].concat([
        '--input-file',
        join(directory, 'block'),
        '--output-file',
        join(directory, 'encrypted'),
      ]),
      { env: environmentOf(token), stdio: 'ignore' },
    );
    const encrypted = readFileSync(join(directory, 'encrypted')).toString('hex');
    await expect(hsm.root.checkValue()).resolves.toBe(encrypted.slice(0, 16));
  });
});

describe('known attacks on the root', () => {
  it('cannot be read, copied, changed or wrapped out by somebody who knows the PIN', async () => {
    const token = await makeToken();
    await openWithRoot(token);
    expect(raw(token, { act: 'read-value', label: LABEL })).toBe('CKR_ATTRIBUTE_SENSITIVE');
    expect(raw(token, { act: 'copy', label: LABEL })).toBe(PROHIBITED);
    for (const [attribute, value] of WEAKENINGS)
      expect([attribute, raw(token, { act: 'set', label: LABEL, attribute, value })]).toEqual([attribute, PROHIBITED]);
    expect(raw(token, { act: 'wrap-out', label: LABEL })).toBe('CKR_KEY_UNEXTRACTABLE');
  });

  it('are refused for those attributes: a key that may be changed and copied is changed and copied', async () => {
    const token = await makeToken();
    const attributes = { CKA_MODIFIABLE: true, CKA_COPYABLE: true, CKA_EXTRACTABLE: true };
    expect(raw(token, { act: 'make', label: 'soft', id: '01', attributes })).toBe('done');
    expect(raw(token, { act: 'set', label: 'soft', attribute: 'CKA_DERIVE', value: true })).toBe('done');
    expect(raw(token, { act: 'wrap-out', label: 'soft' })).toBe('done');
  });

  it.each([
    ['CKA_SENSITIVE', false],
    ['CKA_EXTRACTABLE', true],
    ['CKA_MODIFIABLE', true],
    ['CKA_COPYABLE', true],
    ['CKA_PRIVATE', false],
    ['CKA_WRAP', true],
    ['CKA_UNWRAP', true],
    ['CKA_SIGN', true],
    ['CKA_DERIVE', true],
  ])('refuses a root with %s %s, and names the attribute', async (attribute, value) => {
    const token = await makeToken();
    expect(raw(token, { act: 'make', label: LABEL, id: '01', attributes: { [attribute]: value } })).toBe('done');
    const hsm = await open(token);
    const refusal = { problem: 'root-weakened', message: expect.stringContaining(attribute) };
    await expect(hsm.root.checkValue()).rejects.toMatchObject(refusal);
    await expect(hsm.root.wrap(randomBytes(32), aad)).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE' });
  });

  it('takes a key with every attribute right, so that the refusals above are about the attribute', async () => {
    const token = await makeToken();
    expect(raw(token, { act: 'make', label: LABEL, id: '01', attributes: {} })).toBe('done');
    await expect((await open(token)).root.checkValue()).resolves.toMatch(/^[0-9a-f]{16}$/);
  });

  it('refuses a key whose value somebody knows', async () => {
    const token = await makeToken();
    expect(raw(token, { act: 'import', label: LABEL, id: '01' })).toBe('done');
    await expect((await open(token)).root.checkValue()).rejects.toMatchObject({
      problem: 'root-weakened',
      message: expect.stringMatching(/CKA_(ALWAYS_SENSITIVE|NEVER_EXTRACTABLE|LOCAL)/),
    });
  });

  it('refuses to choose between two keys of one label, and lists their ids', async () => {
    const token = await makeToken();
    await openWithRoot(token, { keyId: 'aa01' });
    expect(raw(token, { act: 'make', label: LABEL, id: 'bb02', attributes: {} })).toBe('done');
    const unsure = await open(token);
    await expect(unsure.root.checkValue()).rejects.toMatchObject({
      problem: 'root-ambiguous',
      message: expect.stringMatching(/aa01.*bb02|bb02.*aa01/),
    });
    await expect((await open(token, { keyId: 'aa01' })).root.checkValue()).resolves.toMatch(/^[0-9a-f]{16}$/);
  });

  it('does not wrap under an impostor that takes the place of the root while the service runs', async () => {
    const token = await makeToken();
    const hsm = await openWithRoot(token);
    await hsm.root.wrap(randomBytes(32), aad);
    expect(raw(token, { act: 'destroy', label: LABEL })).toBe('done');
    expect(raw(token, { act: 'make', label: LABEL, id: 'bb02', attributes: {} })).toBe('done');
    await expect(hsm.root.wrap(randomBytes(32), aad)).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE' });
  });
});
