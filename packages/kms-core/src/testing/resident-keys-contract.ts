import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { type Algorithm, ALGORITHMS } from '../algorithms/registry.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { HEADER_BYTES } from '../envelope/header.ts';
import { type Contract, contractOf } from './contract.ts';
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
 * What every HSM that holds resident keys owes. Runs each algorithm that the provider says it has.
 *
 * @param algorithms the platform ids that it must have at least
 */
export function residentKeysContract(
  name: string,
  algorithms: readonly string[],
  open: () => Promise<OpenedResidentKeys>,
): Contract {
  return contractOf(name, open, ({ it, describe, before }, keys) => {
    it('names the algorithms that it has', async () => {
      const offered = await keys().provider.algorithms();
      assert.deepEqual(
        algorithms.filter((id) => !offered.includes(id)),
        [],
      );
    });

    for (const id of algorithms)
      describe(id, () => {
        const algorithm = algorithmOf(id);
        let keyName: ResidentKeyName;
        let made: ResidentKey;
        const engine = (): KeyEngine => keys().provider.engine(algorithm, made.handle, made.publicKey);
        const reopened = (): KeyEngine => keys().reopened.engine(algorithm, made.handle, made.publicKey);

        before(async () => {
          keyName = newName();
          made = await keys().provider.generate(algorithm, keyName);
        });

        it('works, and works the same when the HSM is opened anew', async () => {
          await exercise(engine(), reopened());
        });

        it('lists the key under its name, once', async () => {
          const listed = (await keys().reopened.list()).filter(({ name: each }) => each.keyId === keyName.keyId);
          assert.deepEqual(
            listed.map((object) => ({ name: object.name, handle: Buffer.from(object.handle) })),
            [{ name: keyName, handle: Buffer.from(made.handle) }],
          );
        });

        it('makes no second key under the same name', async () => {
          const second = keys().provider.generate(algorithm, keyName);
          await assert.rejects(second, { code: 'CONFLICT' });
          await assert.rejects(second, NothingLeft);
          await exercise(engine(), engine());
        });

        it('destroys a key for good, in every connection, and again without complaint', async () => {
          const other = newName();
          const short = await keys().provider.generate(algorithm, other);
          const used = keys().reopened.engine(algorithm, short.handle, short.publicKey);
          await exercise(used, used);
          await keys().provider.destroy(short.handle);
          await keys().provider.destroy(short.handle);
          await assert.rejects(use(used), { code: 'NOT_FOUND' });
          await assert.rejects(use(keys().provider.engine(algorithm, short.handle, short.publicKey)), {
            code: 'NOT_FOUND',
          });
          assert.equal(
            (await keys().provider.list()).some(({ name: each }) => each.keyId === other.keyId),
            false,
          );
        });
      });

    it('refuses an algorithm that it lacks, and names those that it has', async () => {
      const refused = keys().provider.generate(algorithmOf('kyber-768'), newName());
      await assert.rejects(refused, { code: 'BAD_REQUEST' });
      await assert.rejects(refused, NothingLeft);
      await assert.rejects(refused, (error: Error) => error.message.includes(algorithms[0] ?? ''));
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
  assert.equal(
    [sign, mac, seal].some((method) => method !== undefined),
    true,
  );
  if (sign !== undefined) {
    const signature = await sign(data, {});
    assert.equal(await taker.verify?.(data, signature, {}), true);
    assert.equal(await taker.verify?.(randomBytes(100), signature, {}), false);
  }
  if (mac !== undefined) {
    const tag = await mac(data);
    assert.equal(await taker.verifyMac?.(data, tag), true);
    assert.equal(await taker.verifyMac?.(randomBytes(100), tag), false);
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
    assert.equal(sealed.length, HEADER_BYTES + 12 + plaintext.length + 16);
    assert.deepEqual(Buffer.from(sealed.subarray(0, HEADER_BYTES)), header);
    assert.deepEqual(Buffer.from((await taker.open?.(sealed, context)) ?? []), Buffer.from(plaintext));
    const open = async (envelope: Uint8Array, boundTo: Uint8Array) => taker.open?.(envelope, boundTo);
    for (const index of [0, HEADER_BYTES, HEADER_BYTES + 12, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      await assert.rejects(open(changed, context), { code: 'DECRYPT_FAILED' });
    }
    await assert.rejects(open(sealed, randomBytes(20)), { code: 'DECRYPT_FAILED' });
  }
}
