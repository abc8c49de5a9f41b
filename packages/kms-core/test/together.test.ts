import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { BOUNDS } from '../src/bounds/bounds.ts';
import {
  createKey,
  decrypt,
  type DecryptInput,
  decryptTogether,
  encrypt,
  type EncryptInput,
  encryptTogether,
  KmsError,
  newId,
  type Operation,
  OperationEvidence,
  resolveAlgorithm,
  rotateKey,
  suspendKey,
} from '../src/exports/internal.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

let f: Fixture;
let op: Operation;
let keyId: string;
/** Of the same tenant. */
let otherKeyId: string;

beforeEach(async () => {
  f = await makeFixture();
  op = { kms: f.kms, caller: f.admin };
  keyId = await held({});
  otherKeyId = await held({});
});

/** A key that is in memory. */
async function held(input: Partial<Parameters<typeof createKey>[1]>): Promise<string> {
  const key = await createKey(op, input);
  await f.kms.keyRing.load(f.tenantId, key.keyId);
  return key.keyId;
}

const plaintextOf = (index: number) => Buffer.from(`plaintext ${index}`);
const of = (length: number, id = keyId): EncryptInput[] =>
  Array.from({ length }, (_, index) => ({ keyId: id, plaintext: plaintextOf(index) }));

/** What the operations for one make of each input: the outcome, or the code of its error. */
async function alone<Input, Outcome>(inputs: readonly Input[], one: (input: Input) => Outcome | Promise<Outcome>) {
  const outcomes: (Outcome | string)[] = [];
  for (const input of inputs) {
    try {
      outcomes.push(await one(input));
    } catch (error) {
      if (!KmsError.is(error)) throw error;
      outcomes.push(error.code);
    }
  }
  return outcomes;
}

const sealed = (inputs: readonly EncryptInput[]) =>
  Promise.all(inputs.map(async (input) => (await encrypt(op, input)).ciphertext));

describe.each([0, 1, 2, 100, 1000])('of %i items', (length) => {
  test('every encryption is done at once, and decrypts alone', async () => {
    const inputs = of(length).map((input, index) => ({ ...input, context: { place: String(index % 3) } }));
    const results = encryptTogether(op, inputs);
    expect(results).toHaveLength(length);
    for (const [index, result] of results.entries()) {
      expect(result).toMatchObject({ keyId, keyVersion: 1, algorithm: 'aes-256-gcm' });
      const opened = await decrypt(op, {
        ciphertext: result?.ciphertext ?? Buffer.alloc(0),
        context: { place: String(index % 3) },
      });
      expect(Buffer.from(opened.plaintext)).toEqual(plaintextOf(index));
    }
  });

  test('every decryption is done at once', async () => {
    const inputs = (await sealed(of(length))).map((ciphertext) => ({ ciphertext }));
    const results = decryptTogether(op, inputs);
    expect(results).toEqual(inputs.map((_, index) => ({ plaintext: plaintextOf(index), keyId, keyVersion: 1 })));
  });

  test('each is counted as an operation', async () => {
    const inputs = (await sealed(of(length))).map((ciphertext) => ({ ciphertext }));
    const before = f.kms.counter.pending(f.tenantId);
    encryptTogether(op, of(length));
    decryptTogether(op, inputs);
    expect(f.kms.counter.pending(f.tenantId) - before).toBe(2 * length);
  });
});

describe('items of different keys and versions', () => {
  test('are encrypted by the current version of each, in their order', async () => {
    await rotateKey(op, { keyId: otherKeyId });
    await f.kms.keyRing.load(f.tenantId, otherKeyId);
    const ids = [keyId, otherKeyId, otherKeyId, keyId, otherKeyId];
    const results = encryptTogether(
      op,
      ids.map((id, index) => ({ keyId: id, plaintext: plaintextOf(index) })),
    );
    expect(results.map((result) => [result?.keyId, result?.keyVersion])).toEqual(
      ids.map((id) => [id, id === keyId ? 1 : 2]),
    );
    for (const [index, result] of results.entries()) {
      const { plaintext } = await decrypt(op, { ciphertext: result?.ciphertext ?? Buffer.alloc(0) });
      expect(Buffer.from(plaintext)).toEqual(plaintextOf(index));
    }
  });

  test('are decrypted by the version that made each, in their order', async () => {
    const first = await sealed([...of(2), ...of(1, otherKeyId)]);
    await rotateKey(op, { keyId });
    await f.kms.keyRing.load(f.tenantId, keyId);
    const second = await sealed([...of(1), ...of(1, otherKeyId)]);
    const inputs = [first[0], second[0], first[1], first[2], second[1]].map((ciphertext) => ({
      ciphertext: ciphertext ?? Buffer.alloc(0),
    }));
    const results = decryptTogether(op, inputs);
    expect(results).toEqual(await alone(inputs, (input) => decrypt(op, input)));
    expect(results).toMatchObject([1, 2, 1, 1, 1].map((keyVersion) => ({ keyVersion })));
  });
});

describe('one that fails among others', () => {
  test('leaves those around it what they are: encryptions', async () => {
    const suspended = await held({});
    await suspendKey(op, { keyId: suspended });
    await f.kms.keyRing.load(f.tenantId, suspended);
    const good = { keyId, plaintext: plaintextOf(0) };
    const inputs: EncryptInput[] = [
      good,
      { keyId: suspended, plaintext: plaintextOf(1) },
      good,
      { keyId: newId(), plaintext: plaintextOf(2) },
      good,
      { keyId: otherKeyId, plaintext: Buffer.alloc(BOUNDS.plaintextBytes + 1) },
      good,
      { keyId: otherKeyId, plaintext: plaintextOf(3), context: { '': 'no name' } },
      { ...good, context: { order: '42' } },
    ];
    const codes = ['KEY_STATE_INVALID', 'NOT_FOUND', 'BAD_REQUEST', 'BAD_REQUEST'];
    expect((await alone(inputs, (input) => encrypt(op, input))).filter((one) => typeof one === 'string')).toEqual(
      codes,
    );
    expect(encryptTogether(op, inputs).map((result) => result !== undefined)).toEqual(
      inputs.map((_, index) => index % 2 === 0),
    );
  });

  test('leaves those around it what they are: decryptions', async () => {
    const ciphertexts = await sealed(of(12));
    const ofOther = await sealed(of(1, otherKeyId));
    const inputs: DecryptInput[] = ciphertexts.map((ciphertext) => ({ ciphertext }));
    const damaged = Buffer.from(ciphertexts[1] ?? []);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    inputs[1] = { ciphertext: damaged };
    inputs[3] = { ciphertext: (ciphertexts[3] ?? Buffer.alloc(0)).subarray(0, 60) };
    inputs[5] = { ciphertext: ciphertexts[5] ?? Buffer.alloc(0), context: { not: 'its own' } };
    inputs[7] = { ciphertext: ofOther[0] ?? Buffer.alloc(0), keyId };
    inputs[9] = { ciphertext: randomBytes(90) };
    inputs[11] = { ciphertext: Buffer.alloc(0) };
    const single = await alone(inputs, (input) => decrypt(op, input));
    const results = decryptTogether(op, inputs);
    for (const [index, result] of results.entries()) {
      if (KmsError.is(result)) expect(result.code, String(index)).toBe(single[index]);
      // What is left fails by itself.
      else if (result === undefined) expect(single[index], String(index)).toBeTypeOf('string');
      else expect(result, String(index)).toEqual(single[index]);
      if (index % 2 === 0) expect(result, String(index)).toMatchObject({ plaintext: plaintextOf(index) });
    }
  });
});

describe('is left to the operation for one', () => {
  const left = (result: unknown) => expect(result).toEqual([undefined, undefined]);

  test.each(['aes-128-gcm', 'chacha20-poly1305', 'kyber-768', 'rsa-2048', 'hmac-sha256'])('%s', async (id) => {
    const other = await held({ algorithm: resolveAlgorithm(id) });
    left(encryptTogether(op, of(2, other)));
  });

  test('a key that is not in memory, which is not read for it', async () => {
    const restarted = { ...op, kms: await f.restarted() };
    left(encryptTogether(restarted, of(2)));
    const inputs = (await sealed(of(2))).map((ciphertext) => ({ ciphertext }));
    left(decryptTogether({ ...op, kms: await f.restarted() }, inputs));
  });

  test('a key of another tenant, and one that the caller may not use', async () => {
    const inputs = (await sealed(of(2))).map((ciphertext) => ({ ciphertext }));
    for (const caller of [callerOf(newId(), 'tenant_admin'), callerOf(f.tenantId, 'auditor')]) {
      left(encryptTogether({ kms: f.kms, caller }, of(2)));
      left(decryptTogether({ kms: f.kms, caller }, inputs));
    }
  });

  test('a key with a limit of operations, which are counted one by one', async () => {
    const limited = await held({ usageLimits: { maxOperations: 1, expiresAt: null } });
    left(encryptTogether(op, of(2, limited)));
  });

  test('more than the tenant may still do in the month, of which as many are done as it may', async () => {
    const limited = await makeFixture({ quotas: { operationsPerMonth: 10 } });
    const within = { kms: limited.kms, caller: limited.admin };
    const { keyId: ofLimited } = await createKey(within, {});
    await limited.kms.keyRing.load(limited.tenantId, ofLimited);
    await encrypt(within, { keyId: ofLimited, plaintext: plaintextOf(0) });
    await limited.kms.counter.flush(limited.store, limited.kms.quotas);
    // The one before counts.
    left(encryptTogether(within, of(10, ofLimited)).slice(0, 2));
    expect(encryptTogether(within, of(9, ofLimited)).every((result) => result !== undefined)).toBe(true);
    left(encryptTogether(within, of(2, ofLimited)));
    expect(await alone(of(1, ofLimited), (input) => encrypt(within, input))).toEqual(['QUOTA_EXCEEDED']);
  });

  test('everything of which evidence is kept', () => {
    const evidence = new OperationEvidence(
      { requireRoom: () => undefined, record: async () => undefined },
      f.kms.clock,
      {
        tenantId: f.tenantId,
        actor: { type: 'service', id: 'test' },
        context: { requestId: null, userAgent: null, source: 'test', ip: null },
        action: 'encrypt',
        eventType: 'kms.encrypt',
      },
    );
    left(encryptTogether({ ...op, evidence }, of(2)));
  });
});
