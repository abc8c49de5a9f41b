import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KmsError } from '@qnsp/kms-core';
import { NothingLeft } from '@qnsp/kms-core/ports';
import { lostTime } from '@qnsp/test-harness';
import { describe, expect, it } from 'vitest';
import type { Hsm } from '../src/index.ts';
import { aad, openFaulty, recover, residentEngine, unavailable } from './faulty-hsm.ts';
import { environmentOf, makeFaultyModule, makeToken, open, openWithRoot } from './tokens.ts';

describe('what a token answers', () => {
  it.each([
    ['CKR_DEVICE_ERROR', 0x30],
    ['CKR_DEVICE_REMOVED', 0x32],
    ['CKR_TOKEN_NOT_PRESENT', 0xe0],
    ['CKR_FUNCTION_FAILED', 0x06],
    ['CKR_GENERAL_ERROR', 0x05],
    ['CKR_HOST_MEMORY', 0x02],
  ])('%s is HSM_UNAVAILABLE, and the HSM works again afterwards', async (name, code) => {
    const { module, clock, hsm, wrapped } = await openFaulty();
    module.rules(`C_Decrypt fail ${code}`);
    await expect(hsm.root.unwrap(wrapped, aad)).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringContaining(name),
    });
    await recover(clock, module, () => hsm.root.unwrap(wrapped, aad));
  });

  it.each([
    ['CKR_ENCRYPTED_DATA_INVALID', 0x40],
    ['CKR_ENCRYPTED_DATA_LEN_RANGE', 0x41],
  ])('%s is DECRYPT_FAILED, and does not count as a failure', async (_, code) => {
    const { module, hsm, wrapped } = await openFaulty();
    module.rules(`C_Decrypt fail ${code}`);
    for (let attempt = 0; attempt < 10; attempt += 1)
      await expect(hsm.root.unwrap(wrapped, aad)).rejects.toMatchObject({ code: 'DECRYPT_FAILED' });
    expect(hsm.status()).toMatchObject({ breaker: 'closed', consecutiveFailures: 0, starts: 1 });
  });

  it.each([
    ['CKR_OBJECT_HANDLE_INVALID', 0x82],
    ['CKR_KEY_HANDLE_INVALID', 0x60],
  ])('%s is NOT_FOUND when it stays, for a resident key', async (_, code) => {
    const { module, hsm } = await openFaulty();
    const engine = await residentEngine(hsm, 'ecdsa-p256');
    module.rules(`C_SignInit fail ${code}`);
    await expect(engine.sign?.(aad, {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each([
    ['CKR_SESSION_CLOSED', 0xb0],
    ['CKR_SESSION_HANDLE_INVALID', 0xb3],
    ['CKR_OPERATION_ACTIVE', 0x90],
    ['CKR_KEY_HANDLE_INVALID', 0x60],
  ])('%s once is not seen by the caller: a new session does it', async (_, code) => {
    const { module, hsm, key, wrapped } = await openFaulty({ poolSize: 1 });
    module.rules(`C_DecryptInit fail-once ${code}`);
    expect(Buffer.from(await hsm.root.unwrap(wrapped, aad))).toEqual(key);
    expect(module.calls('C_OpenSession')).toBe(1);
    expect(module.calls('C_DecryptInit')).toBe(2);
  });

  it('CKR_SESSION_CLOSED for ever is HSM_UNAVAILABLE after one try more', async () => {
    const { module, hsm, wrapped } = await openFaulty({ poolSize: 1 });
    module.rules('C_DecryptInit fail 176');
    await expect(hsm.root.unwrap(wrapped, aad)).rejects.toMatchObject(unavailable);
    expect(module.calls('C_DecryptInit')).toBe(2);
  });

  it('CKR_USER_NOT_LOGGED_IN makes one login', async () => {
    const { module, hsm, key, wrapped } = await openFaulty({ poolSize: 1 });
    module.rules('C_DecryptInit fail-once 257');
    expect(Buffer.from(await hsm.root.unwrap(wrapped, aad))).toEqual(key);
    expect(module.calls('C_Login')).toBe(1);
  });

  it('a token that logged out and refuses the PIN is asked once, however many calls find it so', async () => {
    const { module, clock, hsm, wrapped } = await openFaulty();
    module.rules('C_DecryptInit fail 257', 'C_Login fail 160');
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => hsm.root.unwrap(wrapped, aad)));
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    module.rules();
    clock.now += 60_000;
    await expect(hsm.root.unwrap(wrapped, aad)).rejects.toMatchObject(unavailable);
    expect(module.calls('C_Login')).toBe(1);
  });

  it('an error in the other shape of pkcs11js, a plain Error, is understood as well', async () => {
    const { module, hsm, wrapped } = await openFaulty();
    // CKR_ACTION_PROHIBITED has no name in pkcs11js, which then throws `Error: CKR_VENDOR_DEFINED:27`.
    module.rules('C_DecryptInit fail 27');
    const failure = await hsm.root.unwrap(wrapped, aad).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(KmsError);
    expect(failure).toMatchObject({ code: 'INTERNAL_ERROR', cause: { fault: { type: 'ckr', code: 27 } } });
  });

  it('a wrong tag is DECRYPT_FAILED also where the token gives no clear reason, and ends no process', async () => {
    const { hsm, wrapped } = await openFaulty();
    const changed = Buffer.from(wrapped);
    changed[20] = (changed[20] ?? 0) ^ 1;
    for (let attempt = 0; attempt < 10; attempt += 1)
      await expect(hsm.root.unwrap(changed, aad)).rejects.toMatchObject({ code: 'DECRYPT_FAILED' });
    expect(hsm.status()).toMatchObject({ breaker: 'closed', starts: 1 });
  });
});

describe('a bit that the HSM flips is caught before anything is released', () => {
  it('in a wrapped key', async () => {
    const { module, hsm } = await openFaulty();
    module.rules('C_Encrypt flip');
    await expect(hsm.root.wrap(randomBytes(32), aad)).rejects.toMatchObject(unavailable);
  });

  it('in an unwrapped key, at every call', async () => {
    const { module, hsm, wrapped } = await openFaulty();
    module.rules('C_Decrypt flip');
    await expect(hsm.root.unwrap(wrapped, aad)).rejects.toMatchObject(unavailable);
  });

  it.each(['aes-256-gcm', 'aes-128-gcm'])('in a ciphertext of a resident %s key', async (id) => {
    const { module, hsm } = await openFaulty();
    const engine = await residentEngine(hsm, id);
    module.rules('C_Encrypt flip');
    await expect(engine.seal?.(Buffer.alloc(22), aad, randomBytes(50))).rejects.toMatchObject(unavailable);
    module.rules('C_Encrypt constant');
    await expect(engine.seal?.(Buffer.alloc(22), aad, randomBytes(50))).rejects.toMatchObject(unavailable);
  });

  it.each([
    ['ecdsa-p256', {}],
    ['ecdsa-p384', { format: 'ieee-p1363' }],
    ['ed25519', {}],
    ['rsa-2048', {}],
    ['rsa-2048', { scheme: 'pkcs1-v1_5' }],
  ] as const)('in a signature of a resident %s key %o', async (id, options) => {
    const { module, hsm } = await openFaulty();
    const engine = await residentEngine(hsm, id);
    module.rules('C_Sign flip');
    await expect(engine.sign?.(aad, options)).rejects.toMatchObject(unavailable);
    module.rules();
    const signature = await engine.sign?.(aad, options);
    expect(await engine.verify?.(aad, signature ?? Buffer.alloc(0), options)).toBe(true);
  });

  it('in one of the two computations of a MAC', async () => {
    const { module, hsm } = await openFaulty();
    const engine = await residentEngine(hsm, 'hmac-sha256');
    module.rules('C_Sign flip-once');
    await expect(engine.mac?.(aad)).rejects.toMatchObject(unavailable);
    module.rules();
    await expect(engine.mac?.(aad)).resolves.toHaveLength(32);
  });

  it('in the first signature of a new key, which is then not kept', async () => {
    const { module, hsm } = await openFaulty();
    module.rules('C_Sign flip');
    await expect(residentEngine(hsm, 'ecdsa-p256')).rejects.toMatchObject(unavailable);
    await expect(hsm.resident.list()).resolves.toEqual([]);
  });
});

describe('a key that could not be made', () => {
  const failure = (hsm: Hsm): Promise<unknown> => residentEngine(hsm, 'aes-256-gcm').catch((error: unknown) => error);

  it('has left nothing where the HSM refused it or failed at it, and that is said', async () => {
    const { module, clock, hsm } = await openFaulty({ poolSize: 1, queueLimit: 0 });
    module.rules('C_GenerateKey fail 6');
    expect(await failure(hsm)).toBeInstanceOf(NothingLeft);
    module.rules('C_Encrypt flip');
    expect(await failure(hsm)).toBeInstanceOf(NothingLeft);
    module.rules('C_GenerateRandom delay 300');
    const running = hsm.random(8);
    expect(await failure(hsm)).toBeInstanceOf(NothingLeft);
    await running;
    module.rules('C_GenerateRandom fail 6');
    for (let attempt = 0; attempt < 5; attempt += 1) await expect(hsm.random(8)).rejects.toMatchObject(unavailable);
    expect(await failure(hsm)).toBeInstanceOf(NothingLeft);
    await recover(clock, module, () => hsm.random(8));
    await expect(hsm.resident.list()).resolves.toEqual([]);
  });

  it('may have left something where the HSM did not answer', async () => {
    const { module, hsm } = await openFaulty({ timeoutMs: 400 });
    module.rules('C_GenerateKey hang-after');
    const error = await failure(hsm);
    expect(error).toMatchObject(unavailable);
    expect(error).not.toBeInstanceOf(NothingLeft);
  });

  it('may have left something where the process was ended for what another call met', async () => {
    const { module, hsm, wrapped } = await openFaulty();
    module.rules('C_GenerateKey delay 3000', 'C_DecryptInit fail 257', 'C_Login fail 160');
    const making = failure(hsm);
    await expect.poll(() => module.calls('C_GenerateKey'), { timeout: 20_000 }).toBe(1);
    await expect(hsm.root.unwrap(wrapped, aad)).rejects.toMatchObject(unavailable);
    expect(await making).toMatchObject(unavailable);
    expect(await making).not.toBeInstanceOf(NothingLeft);
  });
});

describe('a module that crashes', () => {
  it('takes down no more than its own process: the calls fail, the next ones work', async () => {
    const { module, clock, hsm, wrapped } = await openFaulty();
    module.rules('C_Decrypt abort');
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => hsm.root.unwrap(wrapped, aad)));
    expect(
      results.map((result) => (result.status === 'rejected' ? (result.reason as KmsError).code : 'answered')),
    ).toEqual(Array.from({ length: 6 }, () => 'HSM_UNAVAILABLE'));
    await recover(clock, module, () => hsm.root.unwrap(wrapped, aad));
    expect(hsm.status().starts).toBeGreaterThan(1);
  });

  it('is replaced also when its end is first noticed by a call that is sent to it', async () => {
    const { module, clock, hsm } = await openFaulty();
    const { pid } = hsm.status();
    if (pid === null) throw new Error('no process');
    process.kill(pid, 'SIGKILL');
    // The event loop hears of neither the end nor the closed channel before the call is on its way.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    await expect(hsm.random(8)).rejects.toMatchObject(unavailable);
    await recover(clock, module, () => hsm.random(8));
    expect(hsm.status()).toMatchObject({ starts: 2, breaker: 'closed' });
  });

  it('is replaced when one of its sessions ends, and until then the HSM is away, not broken', async () => {
    const token = await makeToken();
    const directory = dirname(token.configPath);
    const [preload, trigger] = [join(directory, 'preload.cjs'), join(directory, 'trigger')];
    await writeFile(
      preload,
      `const { isMainThread } = require('node:worker_threads');
      const end = () => { if (require('node:fs').existsSync(${JSON.stringify(trigger)})) throw new Error('it ends'); };
      if (!isMainThread) setInterval(end, 5).unref();`,
    );
    const clock = { now: 0 };
    const environment = { ...environmentOf(token), NODE_OPTIONS: `--require ${preload}` };
    const hsm = await openWithRoot(token, {}, { environment, now: () => clock.now });
    await writeFile(trigger, '');
    await expect
      .poll(() => hsm.random(8).catch((error: unknown) => error), { timeout: 20_000 })
      .toBeInstanceOf(KmsError);
    await rm(trigger);
    const refusals: unknown[] = [];
    const works = async (): Promise<boolean> => {
      clock.now += 60_000;
      try {
        await hsm.random(8);
        return true;
      } catch (error) {
        refusals.push(error);
        return false;
      }
    };
    await expect.poll(works, { timeout: 20_000 }).toBe(true);
    for (const refusal of refusals) expect(refusal).toMatchObject(unavailable);
    expect(hsm.status().starts).toBeGreaterThan(1);
  });

  it('at the login is an error, not a hang', async () => {
    const token = await makeToken();
    const module = makeFaultyModule(token);
    module.rules('C_Login abort');
    await expect(open(token, {}, { module })).rejects.toMatchObject(unavailable);
  });
});

describe('a module that hangs', () => {
  it('hangs no caller beyond the deadline, and is replaced', async () => {
    const { token, module } = await openFaulty();
    const hsm = await open(token, { timeoutMs: 1000, queueLimit: 50 }, { module });
    const wrapped = await hsm.root.wrap(randomBytes(32), aad);
    module.rules('C_Decrypt hang');
    const [lost, started] = [lostTime(), performance.now()];
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => hsm.root.unwrap(wrapped, aad)));
    expect(performance.now() - started).toBeLessThan(3600 + lost());
    expect(
      results.every((each) => each.status === 'rejected' && (each.reason as KmsError).code === 'HSM_UNAVAILABLE'),
    ).toBe(true);
    module.rules();
    await expect
      .poll(
        () =>
          hsm.root.unwrap(wrapped, aad).then(
            () => 'works',
            () => 'fails',
          ),
        { timeout: 20_000, interval: 200 },
      )
      .toBe('works');
  });

  it('leaves another HSM alone', async () => {
    const [first, second] = [await openFaulty({ timeoutMs: 60_000 }), await openFaulty()];
    first.module.rules('* hang');
    const hanging = first.hsm.root.unwrap(first.wrapped, aad).catch((error: unknown) => error);
    for (let attempt = 0; attempt < 20; attempt += 1)
      await expect(second.hsm.root.unwrap(second.wrapped, aad)).resolves.toBeDefined();
    await first.hsm.close();
    await expect(hanging).resolves.toMatchObject(unavailable);
  });
});

describe('too many callers', () => {
  it('are refused at once when the queue is full, and that is no failure of the HSM', async () => {
    const { module, hsm, wrapped } = await openFaulty({ poolSize: 1, queueLimit: 2 });
    module.rules('C_Decrypt delay 300');
    const calls = Array.from({ length: 5 }, () => hsm.root.unwrap(wrapped, aad));
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    await expect(calls[4]).rejects.toMatchObject(unavailable);
    expect(hsm.status()).toMatchObject({ breaker: 'closed', consecutiveFailures: 0, queuedCalls: 0, busySessions: 0 });
  });
});

describe('one session and no queue', () => {
  it('are enough for a MAC', async () => {
    const { hsm } = await openFaulty({ poolSize: 1, queueLimit: 0 });
    const engine = await residentEngine(hsm, 'hmac-sha256');
    await expect(engine.mac?.(aad)).resolves.toHaveLength(32);
  });
});

describe('the circuit breaker', () => {
  it('keeps calls away from a token that keeps failing, and lets one through after a while', async () => {
    const { module, clock, hsm } = await openFaulty();
    module.rules('C_GenerateRandom fail 6');
    for (let attempt = 0; attempt < 5; attempt += 1) await expect(hsm.random(8)).rejects.toMatchObject(unavailable);
    expect(hsm.status().breaker).toBe('open');
    module.forget();
    await expect(hsm.random(8)).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE', retryAfterSeconds: 5 });
    expect(module.calls('C_GenerateRandom')).toBe(0);
    module.rules();
    clock.now += 5000;
    expect(hsm.status().breaker).toBe('half-open');
    await expect(hsm.random(8)).resolves.toHaveLength(8);
    expect(hsm.status()).toMatchObject({ breaker: 'closed', consecutiveFailures: 0 });
  });
});

describe('what nobody waits for', () => {
  it('is a token that keeps failing, also by those who ask what it can do or which root it has', async () => {
    const { module, clock, hsm } = await openFaulty();
    module.rules('C_GenerateRandom fail 48');
    for (let attempt = 0; attempt < 5; attempt += 1) await expect(hsm.random(8)).rejects.toMatchObject(unavailable);
    module.rules('* hang');
    const { starts } = hsm.status();
    await expect(hsm.root.checkValue()).rejects.toMatchObject(unavailable);
    await expect(hsm.resident.algorithms()).rejects.toMatchObject(unavailable);
    await expect(residentEngine(hsm, 'hmac-sha256')).rejects.toMatchObject(unavailable);
    expect(hsm.status()).toMatchObject({ starts, breaker: 'open' });
    await recover(clock, module, () => hsm.root.checkValue());
  });

  it('is what a token can do, once it said so', async () => {
    const { module, hsm } = await openFaulty();
    const algorithms = await hsm.resident.algorithms();
    module.rules('C_GenerateRandom fail 48');
    await expect(hsm.random(8)).rejects.toMatchObject(unavailable);
    module.rules('* hang');
    await expect(hsm.resident.algorithms()).resolves.toEqual(algorithms);
    expect(hsm.status()).toMatchObject({ starts: 1, connected: false });
  });
});

describe('a list of many objects', () => {
  it('is made in steps that each have their time, and none of which ends the process', async () => {
    const { token, module, hsm } = await openFaulty({ timeoutMs: 2000 });
    const patient = await open(token, { timeoutMs: 60_000 });
    // One after the other: SoftHSM now and then answers CKR_GENERAL_ERROR to what several sessions make at once.
    for (let count = 0; count < 60; count += 1) await residentEngine(patient, 'hmac-sha256');
    // Each object takes two calls, for the lengths of its attributes and for their values.
    module.rules('C_GetAttributeValue delay 20');
    await expect(hsm.resident.list()).resolves.toHaveLength(60);
    expect(hsm.status().starts).toBe(1);
  });

  it('leaves out what is destroyed meanwhile', async () => {
    const { module, hsm } = await openFaulty();
    await residentEngine(hsm, 'hmac-sha256');
    await residentEngine(hsm, 'ecdsa-p256');
    module.rules('C_GetAttributeValue fail-once 130');
    // One half of the pair is enough to know it by.
    expect((await hsm.resident.list()).length).toBeGreaterThanOrEqual(1);
    module.rules('C_GetAttributeValue fail 130');
    await expect(hsm.resident.list()).resolves.toEqual([]);
    expect(hsm.status().starts).toBe(1);
  });
});

describe('a destruction', () => {
  it('takes what another has destroyed meanwhile for destroyed', async () => {
    const { module, hsm } = await openFaulty();
    await residentEngine(hsm, 'hmac-sha256');
    const [made] = await hsm.resident.list();
    // Found, and gone when it is looked at; then gone when it is to be destroyed.
    for (const call of ['C_GetAttributeValue', 'C_DestroyObject']) {
      module.rules(`${call} fail-once 130`);
      await expect(hsm.resident.destroy(made?.handle ?? Buffer.of())).resolves.toBeUndefined();
    }
    expect(hsm.status().starts).toBe(1);
    module.rules();
    await hsm.resident.destroy(made?.handle ?? Buffer.of());
    await expect(hsm.resident.list()).resolves.toEqual([]);
  });
});
