import { createCipheriv, createPublicKey, generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Client,
  costOfWork,
  createImportParameters,
  createKey,
  decrypt,
  encrypt,
  importKey,
  type Job,
  type Jobs,
  type Kms,
  type Operation,
  poolJobs,
  resolveAlgorithm,
  rotateKey,
  sign,
  verify,
} from '../src/exports/internal.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

const DATA = Buffer.from('slow or not');

let f: Fixture;
let jobs: Job[];
/** The KMS, whose jobs are noted. */
let op: Operation;

beforeEach(async () => {
  f = await makeFixture();
  jobs = [];
  op = operationWith(noting(poolJobs()));
});

function operationWith(queue: Jobs, client?: Client): Operation {
  const kms: Kms = { ...f.kms, jobs: queue };
  return { kms, caller: f.admin, client };
}

function noting(queue: Jobs): Jobs {
  return {
    ...queue,
    run: (job, work) => {
      jobs.push(job);
      return queue.run(job, work);
    },
  };
}

/** What was noted since it was asked for last. */
const noted = () => jobs.splice(0).map(({ owner, units }) => ({ owner, units }));

async function keyOf(algorithm: string, purpose?: 'encrypt' | 'sign'): Promise<string> {
  const settings = purpose === undefined ? {} : { purpose };
  const { keyId } = await createKey(op, { algorithm: resolveAlgorithm(algorithm), ...settings });
  return keyId;
}

const job = (algorithm: string, work: Parameters<typeof costOfWork>[1]) => ({
  owner: f.tenantId,
  units: costOfWork(resolveAlgorithm(algorithm), work),
});

describe('slow work', () => {
  it.each(['ECDSA-P384', 'RSA-2048', 'ML-DSA-44', 'SLH-DSA-SHA2-128f'])('is a job: signatures of %s', async (name) => {
    const keyId = await keyOf(name, 'sign');
    // Making the key and trying it out is a single job, so that it waits once.
    expect(noted()).toEqual([job(name, 'generate')]);
    const { signature } = await sign(op, { keyId, data: DATA });
    expect(noted()).toEqual([job(name, 'sign')]);
    expect(await verify(op, { keyId, data: DATA, signature })).toMatchObject({ valid: true });
    expect(noted()).toEqual([job(name, 'verify')]);
  });

  it('is a job: opening what is under an RSA key, but not sealing it', async () => {
    const keyId = await keyOf('RSA-2048', 'encrypt');
    noted();
    const { ciphertext } = await encrypt(op, { keyId, plaintext: DATA });
    expect(noted()).toEqual([]);
    const opened = decrypt(op, { ciphertext });
    expect(opened).toBeInstanceOf(Promise);
    expect(Buffer.from((await opened).plaintext)).toEqual(DATA);
    expect(noted()).toEqual([job('RSA-2048', 'open')]);
    const forged = Uint8Array.from(ciphertext);
    forged[40] = (forged[40] ?? 0) ^ 1;
    await expect(Promise.resolve(decrypt(op, { ciphertext: forged }))).rejects.toMatchObject({
      code: 'DECRYPT_FAILED',
    });
  });

  it.each(['ECDSA-P256', 'ECDH-P256', 'X25519', 'ML-KEM-768', 'X25519-ML-KEM-768'])(
    'is a job: making a pair of %s, and the next version of it',
    async (name) => {
      const keyId = await keyOf(name);
      expect(noted()).toEqual([job(name, 'generate')]);
      await rotateKey(op, { keyId });
      expect(noted()).toEqual([job(name, 'generate')]);
    },
  );

  it.each([
    ['RSA_AES_KEY_WRAP_SHA_256', 'RSA-4096'],
    ['ML_KEM_768_AES_KWP', 'ML-KEM-768'],
  ] as const)(
    'is a job: an import under %s, and making what it is wrapped under',
    async (wrappingAlgorithm, wrapping) => {
      const { publicKey, importToken } = await createImportParameters(op, { wrappingAlgorithm });
      expect(noted()).toEqual([job(wrapping, 'generate')]);
      if (wrappingAlgorithm !== 'RSA_AES_KEY_WRAP_SHA_256') return;
      const wrappedMaterial = wrapUnder(
        publicKey,
        generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }),
      );
      const algorithm = resolveAlgorithm('Ed25519');
      await importKey(op, { algorithm, wrappingAlgorithm, importToken, wrappedMaterial });
      expect(noted()).toEqual([job('Ed25519', 'accept')]);
    },
  );

  it('is not what is quick, which is answered at once', async () => {
    const aes = await keyOf('AES-256-GCM');
    expect(noted()).toEqual([]);
    const [p256, ed25519] = [await keyOf('ECDSA-P256'), await keyOf('Ed25519')];
    noted();
    // Into memory.
    for (const keyId of [p256, ed25519]) await sign(op, { keyId, data: DATA });
    await encrypt(op, { keyId: aes, plaintext: DATA });
    const answers = [p256, ed25519].map((keyId) => sign(op, { keyId, data: DATA }));
    for (const answer of [...answers, encrypt(op, { keyId: aes, plaintext: DATA })])
      expect(answer).not.toBeInstanceOf(Promise);
    expect(noted()).toEqual([]);
  });

  it('is not done for a client who is gone when its turn comes', async () => {
    const keyId = await keyOf('ML-DSA-44');
    const queue = poolJobs({ threads: 1 });
    const ends = Promise.withResolvers<void>();
    const before = queue.run({ owner: f.tenantId, units: 1 }, () => ends.promise);
    const gone = new AbortController();
    const waiting = operationWith(queue, { gone: gone.signal });
    const calls = [
      Promise.resolve(sign(waiting, { keyId, data: DATA })),
      createKey(waiting, { name: 'never', algorithm: resolveAlgorithm('ML-DSA-44') }),
      rotateKey(waiting, { keyId }),
    ].map((call) => expect(call).rejects.toThrow('nobody waits'));
    while (queue.counts()['short']?.waiting !== calls.length) await new Promise((resolve) => setImmediate(resolve));
    gone.abort(new Error('nobody waits'));
    await Promise.all(calls);
    expect(queue.counts()['short']).toMatchObject({ waiting: 0, running: 1 });
    ends.resolve();
    await before;
    const keys = await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, (unit) => unit.keys.get(keyId));
    expect(keys?.currentVersion).toBe(1);
  });

  it('does not hold a place while an HSM takes its time for random bytes', async () => {
    const bytes = Promise.withResolvers<Uint8Array>();
    const queue = poolJobs({ threads: 1 });
    const slow = operationWith(queue);
    const kms: Kms = { ...slow.kms, random: () => bytes.promise };
    const made = createKey({ ...slow, kms }, { algorithm: resolveAlgorithm('ML-DSA-44') });
    const other = await createKey(slow, { algorithm: resolveAlgorithm('ML-DSA-44') });
    expect(other.currentVersion).toBe(1);
    bytes.resolve(randomBytes(32));
    expect((await made).currentVersion).toBe(1);
  });
});

/** RSAES-OAEP of a fresh key, then AES key wrap with padding under it. */
function wrapUnder(publicKey: Uint8Array, material: Uint8Array): Uint8Array {
  const kek = randomBytes(32);
  const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
  const wrap = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([publicEncrypt({ key, oaepHash: 'sha256' }, kek), wrap.update(material)]);
}
