import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Algorithm, ALGORITHMS } from '../algorithms/registry.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { HEADER_BYTES } from '../envelope/header.ts';
import {
  NothingLeft,
  type ResidentKey,
  type ResidentKeyName,
  type ResidentKeyProvider,
} from '../ports/resident-keys.ts';

/** An HSM, and the same one reopened. */
export interface OpenedResidentKeys {
  readonly provider: ResidentKeyProvider;
  readonly reopened: ResidentKeyProvider;
  close(): Promise<void>;
}

/**
 * What every HSM that holds resident keys owes, as tests. Runs each algorithm that the provider says it has.
 *
 * @param algorithms the platform ids that it must have at least
 */
export function residentKeysContract(
  name: string,
  algorithms: readonly string[],
  open: () => Promise<OpenedResidentKeys>,
): void {
  describe(name, () => {
    let opened: OpenedResidentKeys | undefined;
    const keys = (): OpenedResidentKeys => {
      if (opened === undefined) throw new Error('the provider is not open');
      return opened;
    };

    beforeAll(async () => {
      opened = await open();
    });
    afterAll(async () => {
      await opened?.close();
    });

    it('names the algorithms that it has', async () => {
      await expect(keys().provider.algorithms()).resolves.toEqual(expect.arrayContaining([...algorithms]));
    });

    describe.each(algorithms)('%s', (id) => {
      const algorithm = algorithmOf(id);
      let keyName: ResidentKeyName;
      let made: ResidentKey;
      const engine = (): KeyEngine => keys().provider.engine(algorithm, made.handle, made.publicKey);
      const reopened = (): KeyEngine => keys().reopened.engine(algorithm, made.handle, made.publicKey);

      beforeAll(async () => {
        keyName = newName();
        made = await keys().provider.generate(algorithm, keyName);
      });

      it('works, and works the same when the HSM is opened anew', async () => {
        await exercise(engine(), reopened());
      });

      it('lists the key under its name, once', async () => {
        const listed = (await keys().reopened.list()).filter(({ name: each }) => each.keyId === keyName.keyId);
        expect(listed.map((object) => ({ name: object.name, handle: Buffer.from(object.handle) }))).toEqual([
          { name: keyName, handle: Buffer.from(made.handle) },
        ]);
      });

      it('makes no second key under the same name', async () => {
        const second = keys().provider.generate(algorithm, keyName);
        await expect(second).rejects.toMatchObject({ code: 'CONFLICT' });
        await expect(second).rejects.toBeInstanceOf(NothingLeft);
        await exercise(engine(), engine());
      });

      it('destroys a key for good, in every connection, and again without complaint', async () => {
        const other = newName();
        const short = await keys().provider.generate(algorithm, other);
        const used = keys().reopened.engine(algorithm, short.handle, short.publicKey);
        await exercise(used, used);
        await keys().provider.destroy(short.handle);
        await keys().provider.destroy(short.handle);
        await expect(use(used)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        await expect(use(keys().provider.engine(algorithm, short.handle, short.publicKey))).rejects.toMatchObject({
          code: 'NOT_FOUND',
        });
        expect((await keys().provider.list()).some(({ name: each }) => each.keyId === other.keyId)).toBe(false);
      });
    });

    it('refuses an algorithm that it lacks, and names those that it has', async () => {
      const refused = keys().provider.generate(algorithmOf('kyber-768'), newName());
      await expect(refused).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      await expect(refused).rejects.toBeInstanceOf(NothingLeft);
      await expect(refused).rejects.toThrow(algorithms[0] ?? '');
    });
  });
}

function algorithmOf(id: string): Algorithm {
  const algorithm = ALGORITHMS.find((candidate) => candidate.id === id);
  if (algorithm === undefined) throw new Error(`no algorithm ${id}`);
  return algorithm;
}

function newName(): ResidentKeyName {
  return { tenantId: randomUUID(), keyId: randomUUID(), version: 1 };
}

/** Uses a key once, in whatever way it has. */
async function use(engine: KeyEngine): Promise<void> {
  if (engine.sign !== undefined) await engine.sign(Buffer.from('probe'), {});
  else if (engine.mac !== undefined) await engine.mac(Buffer.from('probe'));
  else await engine.seal?.(Buffer.alloc(HEADER_BYTES), Buffer.alloc(4), Buffer.from('probe'));
}

/** What one makes, the other accepts; what was changed, it refuses. */
async function exercise(maker: KeyEngine, taker: KeyEngine): Promise<void> {
  const data = randomBytes(100);
  const { sign, mac, seal } = maker;
  expect([sign, mac, seal].some((method) => method !== undefined)).toBe(true);
  if (sign !== undefined) {
    const signature = await sign(data, {});
    expect(await taker.verify?.(data, signature, {})).toBe(true);
    expect(await taker.verify?.(randomBytes(100), signature, {})).toBe(false);
  }
  if (mac !== undefined) {
    const tag = await mac(data);
    expect(await taker.verifyMac?.(data, tag)).toBe(true);
    expect(await taker.verifyMac?.(randomBytes(100), tag)).toBe(false);
  }
  // RSA keys sign; whether they decrypt as well is a matter of the HSM.
  if (seal !== undefined && sign === undefined) await exerciseSeal(maker, taker, data);
}

async function exerciseSeal(maker: KeyEngine, taker: KeyEngine, data: Uint8Array): Promise<void> {
  const header = randomBytes(HEADER_BYTES);
  const context = randomBytes(20);
  for (const plaintext of [data, new Uint8Array(), randomBytes(65_536)]) {
    const sealed = await maker.seal?.(header, context, plaintext);
    if (sealed === undefined) throw new Error('the engine seals');
    expect(sealed).toHaveLength(HEADER_BYTES + 12 + plaintext.length + 16);
    expect(Buffer.from(sealed.subarray(0, HEADER_BYTES))).toEqual(header);
    expect(Buffer.from((await taker.open?.(sealed, context)) ?? [])).toEqual(Buffer.from(plaintext));
    for (const index of [0, HEADER_BYTES, HEADER_BYTES + 12, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      await expect(taker.open?.(changed, context)).rejects.toMatchObject({ code: 'DECRYPT_FAILED' });
    }
    await expect(taker.open?.(sealed, randomBytes(20))).rejects.toMatchObject({ code: 'DECRYPT_FAILED' });
  }
}
