import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KmsError } from '@qnsp/kms-core';
import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import { HEADER_BYTES } from '@qnsp/kms-core/internal';
import { describe, expect, it } from 'vitest';
import type { Hsm } from '../src/index.ts';
import { aad, openFaulty, recover, residentEngine, unavailable } from './faulty-hsm.ts';
import { makeToken, open, openWithRoot } from './tokens.ts';

describe('a token that vanishes', () => {
  it('under load fails calls and hangs none, and is found again when it is back', async () => {
    const { token, key, wrapped } = await openFaulty();
    const tokens = join(dirname(token.configPath), 'tokens');
    const live = await open(token);
    const resident = await residentEngine(live, 'ecdsa-p256');
    const handles = (await live.resident.list()).map(({ handle }) => handle);
    expect(Buffer.from(await live.root.unwrap(wrapped, aad))).toEqual(key);
    const seen = new Set<string>();
    let stop = false;
    const caller = async (call: () => Promise<unknown>): Promise<void> => {
      while (!stop) {
        seen.add(
          await call().then(
            () => 'answered',
            (error: unknown) => (KmsError.is(error) ? error.code : String(error)),
          ),
        );
        await new Promise((resolve) => {
          setTimeout(resolve, 5);
        });
      }
    };
    const unwrap = async (): Promise<void> => {
      if (!Buffer.from(await live.root.unwrap(wrapped, aad)).equals(key)) throw new Error('wrong key');
    };
    const callers = [unwrap, unwrap, unwrap, async () => resident.sign?.(aad, {})].map(caller);
    // Past the time in which the module's view of the token is taken for true.
    await sleep(1200);
    expect([...seen]).toEqual(['answered']);

    await rename(tokens, `${tokens}-away`);
    await expect.poll(() => live.status().connected, { timeout: 20_000 }).toBe(false);
    seen.clear();
    await expect.poll(() => [...seen], { timeout: 20_000 }).toEqual(['HSM_UNAVAILABLE']);
    // Neither an empty list nor a destruction that did nothing may pass for the truth.
    await expect(live.resident.list()).rejects.toMatchObject(unavailable);
    for (const handle of handles) await expect(live.resident.destroy(handle)).rejects.toMatchObject(unavailable);

    await rename(`${tokens}-away`, tokens);
    await expect.poll(() => [...seen], { timeout: 40_000 }).toContain('answered');
    stop = true;
    await Promise.all(callers);
    expect([...seen].filter((each) => each !== 'answered' && each !== 'HSM_UNAVAILABLE')).toEqual([]);
  }, 600_000);

  it.each([
    ['a list', (hsm: Hsm) => hsm.resident.list()],
    ['a destruction', (hsm: Hsm, handle: Uint8Array) => hsm.resident.destroy(handle)],
  ])('does not make %s look empty, whichever call meets it first', async (_, first) => {
    const token = await makeToken();
    const clock = { now: 0 };
    const hsm = await openWithRoot(token, {}, { now: () => clock.now });
    await residentEngine(hsm, 'ecdsa-p256');
    const handle = (await hsm.resident.list())[0]?.handle ?? new Uint8Array();
    clock.now += 5000;
    const tokens = join(dirname(token.configPath), 'tokens');
    await rename(tokens, `${tokens}-away`);
    await expect(first(hsm, handle)).rejects.toMatchObject(unavailable);
    await rename(`${tokens}-away`, tokens);
    clock.now += 60_000;
    await expect(hsm.resident.list()).resolves.toHaveLength(1);
  });

  it('is told from a key that is gone', async () => {
    const clock = { now: 0 };
    const hsm = await openWithRoot(await makeToken(), {}, { now: () => clock.now });
    const gone = await residentEngine(hsm, 'ecdsa-p256');
    await hsm.root.wrap(randomBytes(32), aad);
    for (const { handle } of await hsm.resident.list()) await hsm.resident.destroy(handle);
    clock.now += 5000;
    await hsm.root.wrap(randomBytes(32), aad);
    // Looked for once more in a new process, and then no more for a while.
    for (let call = 0; call < 3; call += 1)
      await expect(gone.sign?.(aad, {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(hsm.status().starts).toBe(2);
  });

  it('is told from a module that has not noticed what another process made; nothing that runs is harmed', async () => {
    const { token, module, clock, hsm, key, wrapped } = await openFaulty();
    const aes = ALGORITHMS.find(({ id }) => id === 'aes-256-gcm');
    if (aes === undefined) throw new Error('there is no AES');
    const make = (where: Hsm) =>
      where.resident.generate(aes, { tenantId: randomUUID(), keyId: randomUUID(), version: 1 });
    const other = await open(token);
    // SoftHSM takes its own change of a token for everybody's: it misses what was made since it looked last.
    module.rules('C_GenerateKey delay 1500');
    const making = make(hsm);
    await expect.poll(() => module.calls('C_GenerateKey')).toBe(1);
    const { handle } = await make(other);
    await making;
    const engine = hsm.resident.engine(aes, handle, null);
    const seal = async () => engine.seal?.(Buffer.alloc(HEADER_BYTES), Buffer.alloc(4), aad);
    await hsm.root.unwrap(wrapped, aad);
    await expect(seal()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    clock.now += 5000;
    module.rules('C_Decrypt delay 500');
    const running = hsm.root.unwrap(wrapped, aad);
    await expect(seal()).resolves.toBeDefined();
    expect(Buffer.from(await running)).toEqual(key);
    expect(hsm.status()).toMatchObject({ starts: 2, consecutiveFailures: 0 });
    module.rules();
    await expect(hsm.resident.destroy(handle)).resolves.toBeUndefined();
  });

  it('is told from the absence of a key that is about to be made, also after the last key was destroyed', async () => {
    const { module, clock, hsm, key, wrapped } = await openFaulty();
    for (let round = 0; round < 2; round += 1) {
      const engine = await residentEngine(hsm, 'ecdsa-p256');
      await engine.sign?.(aad, {});
      for (const { handle } of await hsm.resident.list()) await hsm.resident.destroy(handle);
      clock.now += 5000;
    }
    // What runs meanwhile would fail with its process.
    module.rules('C_Decrypt delay 300');
    const running = hsm.root.unwrap(wrapped, aad);
    await residentEngine(hsm, 'ecdsa-p256');
    expect(Buffer.from(await running)).toEqual(key);
    expect(hsm.status().starts).toBe(1);
  });

  it('is away, not broken, for the call that is the first to look for it again', async () => {
    const { token, module, clock, hsm } = await openFaulty();
    const engine = await residentEngine(hsm, 'hmac-sha256');
    module.rules('C_SignInit fail 48');
    await expect(engine.mac?.(aad)).rejects.toMatchObject(unavailable);
    // The module finds its directory, and no token in it.
    const tokens = join(dirname(token.configPath), 'tokens');
    const [name = ''] = await readdir(tokens);
    await rename(join(tokens, name), `${tokens}-away`);
    clock.now += 60_000;
    await expect(engine.mac?.(aad)).rejects.toMatchObject(unavailable);
    await rename(`${tokens}-away`, join(tokens, name));
    await recover(clock, module, async () => engine.mac?.(aad));
  });

  it('and comes back with another root is not used', async () => {
    const { token, module, clock, hsm, wrapped } = await openFaulty();
    module.rules('C_Decrypt abort');
    await expect(hsm.root.unwrap(wrapped, aad)).rejects.toMatchObject(unavailable);
    module.rules();
    const other = await open(token);
    await other.destroyRoot();
    await other.createRoot();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      clock.now += 60_000;
      await expect(hsm.root.wrap(randomBytes(32), aad)).rejects.toMatchObject(unavailable);
    }
  });
});
