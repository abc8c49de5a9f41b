import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { initSoftHsmToken } from '@qnsp/test-harness';
import { describe, expect, it } from 'vitest';
import { HsmConfigurationError, openHsm, RefusedPins } from '../src/index.ts';
import { environmentOf, makeFaultyModule, makeToken, open, PIN } from './tokens.ts';
import { quirksOf } from '../src/protocol/quirks.ts';

describe('a mistake in the configuration gives one clear error', () => {
  it.each([
    ['modulePath', { modulePath: 'libsofthsm2.so' }],
    ['pin', { pin: '' }],
    ['keyId', { keyId: 'xyz' }],
    ['slot', { slot: -1 }],
    ['poolSize', { poolSize: 0 }],
    ['queueLimit', { queueLimit: -1 }],
    ['timeoutMs', { timeoutMs: 1.5 }],
    ['id', { id: 'With Spaces' }],
  ])('%s out of its range', async (field, changes) => {
    const opening = openHsm({ modulePath: '/module.so', pin: PIN, ...changes });
    await expect(opening).rejects.toBeInstanceOf(HsmConfigurationError);
    await expect(opening).rejects.toMatchObject({ problem: 'value', message: expect.stringContaining(field) });
  });

  it('a module that is not there', async () => {
    const token = await makeToken();
    const refusal = { problem: 'module', message: expect.stringContaining('/nowhere/module.so') };
    await expect(open(token, { modulePath: '/nowhere/module.so' })).rejects.toMatchObject(refusal);
  });

  it('a file that is no PKCS #11 module', async () => {
    const token = await makeToken();
    const path = join(dirname(token.configPath), 'text.so');
    writeFileSync(path, 'not a library');
    await expect(open(token, { modulePath: path })).rejects.toMatchObject({ problem: 'module' });
  });

  it('a module that does not find its own configuration', async () => {
    const token = await makeToken();
    const environment = { ...environmentOf(token), SOFTHSM2_CONF: '/nowhere/softhsm2.conf' };
    await expect(open(token, {}, { environment })).rejects.toMatchObject({
      problem: 'initialise',
      message: expect.stringMatching(/CKR_GENERAL_ERROR.*SOFTHSM2_CONF/),
    });
    // One of several HSMs may be away, and its module says so in the same way.
    const hsm = await open(token, {}, { environment, tolerateAbsence: true });
    expect(hsm.status().connected).toBe(false);
  });

  it('a slot that is not there, with a list of those that are', async () => {
    const token = await makeToken('the-only-one');
    const message = expect.stringMatching(new RegExp(`index 0: slot ${token.slotId}, label "the-only-one"`));
    await expect(open(token, { slot: 7 })).rejects.toMatchObject({ problem: 'slot', message });
  });

  it('a token label that is not there', async () => {
    const token = await makeToken('one');
    await expect(open(token, { tokenLabel: 'two' })).rejects.toMatchObject({ problem: 'slot' });
  });

  it('a wrong PIN, without the PIN in the message', async () => {
    const token = await makeToken();
    const opening = open(token, { pin: 'wrong-pin-9' });
    await expect(opening).rejects.toMatchObject({
      problem: 'pin',
      message: expect.stringContaining('CKR_PIN_INCORRECT'),
    });
    await expect(opening).rejects.toThrow(/^(?!.*wrong-pin-9)/);
  });
});

describe('the slot', () => {
  it.each(['id', 'index', 'label', 'nothing, being the only one'])('is found by %s', async (by) => {
    const token = await makeToken('found');
    const { modulePath, slotId, pin } = token;
    const ways = { id: { slot: slotId }, index: { slot: 0 }, label: { tokenLabel: 'found' } };
    const choice = by in ways ? ways[by as keyof typeof ways] : {};
    const hsm = await openHsm(
      { modulePath, pin, ...choice },
      { environment: environmentOf(token), refusedPins: new RefusedPins() },
    );
    expect(hsm.status()).toMatchObject({ connected: true, slotId, token: { label: 'found' } });
    // By its own names: a token that is known is held to what it was seen to do.
    expect(quirksOf(hsm.status().token)).toMatchObject({ bareEcPoint: false, mayLack: [] });
    await hsm.close();
  });
});

describe('a label', () => {
  it.for(['kms', 'kms'.padEnd(32), 'kms'.padEnd(32, '\0'), ' kms '])(
    'is compared without its padding: %j',
    async (label) => {
      const token = await makeToken('kms');
      expect((await open(token, { tokenLabel: label })).status()).toMatchObject({ token: { label: 'kms' } });
      await expect(open(token, { tokenLabel: `${label}x` })).rejects.toMatchObject({ problem: 'slot' });
    },
  );
});

describe('a PIN', () => {
  it('is taken as it is given, blanks included', async () => {
    const token = await initSoftHsmToken({ label: 'blanks', pin: ' 12 34 ', soPin: '87654321' });
    const module = makeFaultyModule(token);
    await open(token, { pin: ' 12 34 ' }, { module });
    await expect(open(token, { pin: ' 12 34' }, { module })).rejects.toMatchObject({ problem: 'pin' });
    await token.remove();
  });
});

describe('a slot in digits', () => {
  it('is the label of a token where there is no such slot', async () => {
    const token = await makeToken('4711');
    expect((await open(token, { slot: 4711 })).status()).toMatchObject({ slotId: token.slotId });
    await expect(open(token, { slot: 4711, tokenLabel: 'another' })).rejects.toMatchObject({ problem: 'slot' });
  });
});

describe('a wrong PIN', () => {
  it('is tried once, however many entries name the token, at once or later', async () => {
    const token = await makeToken('once');
    const module = makeFaultyModule(token);
    const refusedPins = new RefusedPins();
    const attempt = (config: object) => open(token, { pin: 'wrong', ...config }, { module, refusedPins });
    const entries = [{ slot: 0 }, { slot: token.slotId }, { tokenLabel: 'once' }];
    const results = await Promise.allSettled(entries.map(attempt));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await expect(attempt({})).rejects.toMatchObject({ problem: 'pin' });
    await expect(attempt({ pin: PIN })).rejects.toMatchObject({ problem: 'pin' });
    expect(module.calls('C_Login')).toBe(1);
  });

  it('does not keep the right PIN of another token out', async () => {
    const [wrong, right] = [await makeToken('wrong'), await makeToken('right')];
    const refusedPins = new RefusedPins();
    await expect(open(wrong, { pin: 'wrong' }, { refusedPins })).rejects.toMatchObject({ problem: 'pin' });
    await expect(open(right, {}, { refusedPins })).resolves.toMatchObject({ id: 'hsm' });
  });

  it('is not tried again by reconnecting when the PIN was changed while the service runs', async () => {
    const token = await makeToken();
    const module = makeFaultyModule(token);
    let now = 0;
    const hsm = await open(token, {}, { module, now: () => now });
    module.rules('C_Login fail 160', 'C_GenerateRandom abort');
    await expect(hsm.random(16)).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE' });
    module.forget();
    for (let attempt = 0; attempt < 4; attempt += 1) {
      now += 60_000;
      await expect(hsm.random(16)).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE' });
    }
    expect(module.calls('C_Login')).toBe(1);
  });
});

describe('an HSM that is away at the start', () => {
  it('is an error, unless it is one of several: then it is used when it is there', async () => {
    const token = await makeToken();
    const module = makeFaultyModule(token);
    module.rules('C_OpenSession fail 48');
    await expect(open(token, {}, { module })).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE' });
    let now = 0;
    const hsm = await open(token, {}, { module, tolerateAbsence: true, now: () => now });
    await expect(hsm.random(8)).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE' });
    expect(hsm.status().connected).toBe(false);
    module.rules();
    now += 60_000;
    await expect(hsm.random(8)).resolves.toHaveLength(8);
  });

  it('still is an error when its PIN is wrong', async () => {
    const token = await makeToken();
    await expect(open(token, { pin: 'wrong' }, { tolerateAbsence: true })).rejects.toMatchObject({ problem: 'pin' });
  });
});

describe('the process of the module', () => {
  it('does not get the secrets of the service', async () => {
    const token = await makeToken();
    process.env['KMS_ROOT_KEY'] = 'secret of the service';
    process.env['SOFTHSM2_CONF'] = token.configPath;
    try {
      const { modulePath, pin } = token;
      const hsm = await openHsm({ modulePath, pin, slot: 0 }, { refusedPins: new RefusedPins() });
      await expect(hsm.random(8)).resolves.toHaveLength(8);
      const { pid } = hsm.status();
      const { readFileSync } = await import('node:fs');
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('secret of the service');
      expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(pin);
      await hsm.close();
    } finally {
      delete process.env['KMS_ROOT_KEY'];
      delete process.env['SOFTHSM2_CONF'];
    }
  });
});
