import {
  createCipheriv,
  createPublicKey,
  encapsulate,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  constants,
} from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  ALGORITHMS,
  authenticateToken,
  createDataKey,
  createImportParameters,
  createKey,
  decapsulate,
  decrypt,
  derive,
  destroyKey,
  encapsulate as encapsulateTo,
  encrypt,
  getKey,
  getPublicKey,
  importKey,
  installPlatformToken,
  KmsError,
  listKeys,
  mac,
  putKeyPolicy,
  reencrypt,
  resolveAlgorithm,
  restoreKey,
  resumeKey,
  revokeKey,
  rotateKey,
  runDueWork,
  shredKey,
  shredTenant,
  sign,
  suspendKey,
  unwrap,
  upgradeKey,
  verify,
  verifyMac,
  wrap,
  wrapWithPadding,
  type ApiTokenRecord,
  type Kms,
  type KeyRecord,
  TOKEN_PREFIX,
  tokenAuthority,
  newId,
  revokeApiToken,
  rotationSchedules,
  OperationBudgets,
  type Store,
  operationOfService,
} from '../src/exports/internal.ts';
import { costOfWork } from '../src/algorithms/costs.ts';
import type { KeyVersionRecord } from '../src/model/key.ts';
import { cipherOf } from '../src/model/version-cipher.ts';
import { addTenant, callerOf, type Fixture, makeFixture, promised } from './kms-fixture.ts';

const DAY = 86_400_000;
const WORKING = new AbortController().signal;
const text = (value: string) => Buffer.from(value, 'utf8');

/** As a promise, also when the token is held in memory. */
async function authenticated(kms: Kms, token: string) {
  return authenticateToken(kms, token);
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (KmsError.is(error)) return error.code;
    throw error;
  }
  return 'no error';
}

let f: Fixture;
beforeEach(async () => {
  f = await makeFixture();
});

const create = (algorithm?: string, more: object = {}) =>
  createKey(
    { kms: f.kms, caller: f.admin },
    {
      ...(algorithm === undefined ? {} : { algorithm: resolveAlgorithm(algorithm) }),
      ...more,
    },
  );

describe('create', () => {
  test('uses the default algorithm and its own purpose', async () => {
    const key = await create();
    expect(key).toMatchObject({
      algorithm: 'aes-256-gcm',
      algorithmNist: 'AES-256-GCM',
      purpose: 'encryption',
      state: 'active',
      currentVersion: 1,
      revision: 1,
    });
  });

  test('coerces a purpose that the algorithm cannot serve, and says so', async () => {
    const key = await create('kyber-768', { purpose: 'signing' });
    expect(key.purpose).toBe('kem');
    expect(key.warnings).toHaveLength(1);
  });

  test('answers a replayed idempotency key with the same key and another request with a mismatch', async () => {
    const idempotency = { key: 'once', fingerprint: Buffer.alloc(32, 1) };
    const first = await createKey({ kms: f.kms, caller: f.admin, idempotency }, {});
    expect(await createKey({ kms: f.kms, caller: f.admin, idempotency }, {})).toEqual(first);
    expect((await listKeys({ kms: f.kms, caller: f.admin }, {})).items).toHaveLength(1);
    expect(
      await codeOf(
        createKey(
          { kms: f.kms, caller: f.admin, idempotency: { ...idempotency, fingerprint: Buffer.alloc(32, 2) } },
          {},
        ),
      ),
    ).toBe('IDEMPOTENCY_MISMATCH');
  });

  test('a replay answers only who may still do it', async () => {
    const { keyId } = await create();
    const idempotency = { key: 'rotate once', fingerprint: Buffer.alloc(32, 1) };
    const rotated = await rotateKey({ kms: f.kms, caller: f.admin, idempotency }, { keyId });
    expect(await rotateKey({ kms: f.kms, caller: f.admin, idempotency }, { keyId })).toEqual(rotated);
    const keyAdmin = callerOf(f.tenantId, 'key_admin');
    const statements = [{ effect: 'deny', actions: ['kms:keys:rotate'], resources: ['*'] }] as const;
    await putKeyPolicy({ kms: f.kms, caller: keyAdmin }, { keyId, policy: { version: '1', statements } });
    expect(await codeOf(rotateKey({ kms: f.kms, caller: f.admin, idempotency }, { keyId }))).toBe('FORBIDDEN');
  });

  test('refuses algorithms that are not approved in FIPS mode', async () => {
    const fips = await makeFixture({ requireFips: true });
    expect(
      await codeOf(
        createKey({ kms: fips.kms, caller: fips.admin }, { algorithm: resolveAlgorithm('chacha20-poly1305') }),
      ),
    ).toBe('BAD_REQUEST');
    expect(
      (await createKey({ kms: fips.kms, caller: fips.admin }, { algorithm: resolveAlgorithm('ml-dsa-65') })).state,
    ).toBe('active');
  });
});

describe('encrypt and decrypt', () => {
  const ENCRYPTING = ALGORITHMS.filter((algorithm) => algorithm.suite !== undefined).map((algorithm) => algorithm.id);

  test.each(ENCRYPTING)('%s opens what it sealed, and only with the same context', async (id) => {
    const { keyId } = await create(id, { purpose: 'encryption' });
    const { ciphertext, keyVersion } = await encrypt(
      { kms: f.kms, caller: f.admin },
      {
        keyId,
        plaintext: text('hello'),
        context: { a: '1', b: '2' },
      },
    );
    expect(keyVersion).toBe(1);
    const opened = await decrypt({ kms: f.kms, caller: f.admin }, { ciphertext, context: { b: '2', a: '1' } });
    expect(Buffer.from(opened.plaintext).toString()).toBe('hello');
    expect(
      await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { ciphertext, context: { a: '1' } }))),
    ).toBe('DECRYPT_FAILED');
  });

  test('every changed byte of a ciphertext gives the same error', async () => {
    const { keyId } = await create();
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    for (let i = 0; i < ciphertext.length; i += 1) {
      const tampered = Buffer.from(ciphertext);
      tampered[i] = (tampered[i] ?? 0) ^ 1;
      for (const named of [{}, { keyId }])
        expect(
          await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { ...named, ciphertext: tampered }))),
          `byte ${i}`,
        ).toBe('DECRYPT_FAILED');
      expect(
        await codeOf(
          promised(() => decrypt({ kms: f.kms, caller: f.admin }, { keyId, ciphertext: ciphertext.subarray(0, i) })),
        ),
        `length ${i}`,
      ).toBe('DECRYPT_FAILED');
    }
  });

  test('a ciphertext is opened under no key but the one that it names', async () => {
    const [{ keyId }, another] = [await create(), await create()];
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    const opening = (named: string) => decrypt({ kms: f.kms, caller: f.admin }, { keyId: named, ciphertext });
    expect(Buffer.from((await opening(keyId)).plaintext).toString()).toBe('x');
    expect(await codeOf(promised(() => opening(another.keyId)))).toBe('DECRYPT_FAILED');
  });

  test('a key of another tenant is a key that does not exist', async () => {
    const other = callerOf('01890000-0000-7000-8000-000000000001', 'tenant_admin');
    await addTenant(f.kms, other.tenantId);
    const { keyId } = await create();
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    expect(await codeOf(getKey({ kms: f.kms, caller: other }, { keyId }))).toBe('NOT_FOUND');
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: other }, { keyId, ciphertext })))).toBe(
      'NOT_FOUND',
    );
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: other }, { ciphertext })))).toBe('DECRYPT_FAILED');
  });

  test('reencrypt moves a ciphertext to the current version and to another key', async () => {
    const { keyId } = await create();
    const other = await create('chacha20-poly1305');
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect((await reencrypt({ kms: f.kms, caller: f.admin }, { ciphertext })).keyVersion).toBe(2);
    const moved = await reencrypt(
      { kms: f.kms, caller: f.admin },
      {
        ciphertext,
        destinationKeyId: other.keyId,
        newContext: { n: '1' },
      },
    );
    const opened = await decrypt(
      { kms: f.kms, caller: f.admin },
      { ciphertext: moved.ciphertext, context: { n: '1' } },
    );
    expect(opened.keyId).toBe(other.keyId);
  });

  test('after a restart and rotations all earlier ciphertexts still open', async () => {
    const { keyId } = await create();
    const made: Uint8Array[] = [];
    for (let round = 0; round < 4; round += 1) {
      for (let i = 0; i < 10; i += 1)
        made.push(
          (await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text(`${made.length}`) })).ciphertext,
        );
      if (round < 3) await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    }
    const kms = await f.restarted();
    for (const [index, ciphertext] of made.entries()) {
      expect(Buffer.from((await decrypt({ kms, caller: f.admin }, { ciphertext })).plaintext).toString()).toBe(
        `${index}`,
      );
    }
  });
});

describe('wrap and data keys', () => {
  test('a wrapped key does not open by decrypt, nor a ciphertext by unwrap', async () => {
    const { keyId } = await create();
    const { wrappedKey } = await wrap({ kms: f.kms, caller: f.admin }, { keyId, dataKey: randomBytes(32) });
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: randomBytes(32) });
    expect(
      await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { keyId, ciphertext: wrappedKey }))),
    ).toBe('DECRYPT_FAILED');
    expect(
      await codeOf(promised(() => unwrap({ kms: f.kms, caller: f.admin }, { keyId, wrappedKey: ciphertext }))),
    ).toBe('DECRYPT_FAILED');
  });

  test('unwrap gives the data key back under the same associated data', async () => {
    const { keyId } = await create('kyber-768');
    const { dataKey, wrappedKey } = await createDataKey(
      { kms: f.kms, caller: f.admin },
      {
        keyId,
        bytes: 64,
        associatedData: text('row 1'),
      },
    );
    expect(dataKey).toHaveLength(64);
    expect(
      (await unwrap({ kms: f.kms, caller: f.admin }, { wrappedKey, associatedData: text('row 1') })).dataKey,
    ).toEqual(dataKey);
    expect(await codeOf(promised(() => unwrap({ kms: f.kms, caller: f.admin }, { wrappedKey })))).toBe(
      'DECRYPT_FAILED',
    );
    expect(
      (await createDataKey({ kms: f.kms, caller: f.admin }, { keyId, withPlaintext: false })).dataKey,
    ).toBeUndefined();
  });

  test('decrypt gives a data key with a context back, an empty one included, and unwrap does not', async () => {
    const { keyId } = await create();
    const op = { kms: f.kms, caller: f.admin };
    for (const context of [{}, { row: '1' }]) {
      const { dataKey, wrappedKey } = await createDataKey(op, { keyId, context });
      const { plaintext } = await decrypt(op, { ciphertext: wrappedKey, context });
      expect(Buffer.from(plaintext)).toEqual(Buffer.from(dataKey ?? []));
      expect(await codeOf(promised(() => decrypt(op, { ciphertext: wrappedKey, context: { row: '2' } })))).toBe(
        'DECRYPT_FAILED',
      );
      expect(await codeOf(promised(() => unwrap(op, { wrappedKey })))).toBe('DECRYPT_FAILED');
    }
    const both = { keyId, context: {}, associatedData: text('row 1') };
    expect(await codeOf(promised(() => createDataKey(op, both)))).toBe('BAD_REQUEST');
  });
});

describe('signatures, MACs, KEM and agreement', () => {
  test('verify covers older versions that may still verify, and names the one that signed', async () => {
    const { keyId } = await create('dilithium-3');
    const { signature } = await sign({ kms: f.kms, caller: f.admin }, { keyId, data: text('m') });
    await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(await verify({ kms: f.kms, caller: f.admin }, { keyId, data: text('m'), signature })).toMatchObject({
      valid: true,
      keyVersion: 1,
    });
    expect(await verify({ kms: f.kms, caller: f.admin }, { keyId, data: text('n'), signature })).toMatchObject({
      valid: false,
    });
    expect(
      await verify({ kms: f.kms, caller: f.admin }, { keyId, data: text('m'), signature, keyVersion: 2 }),
    ).toMatchObject({
      valid: false,
      keyVersion: 2,
    });
  });

  test('a context is refused where the algorithm has none, and counts where it has one', async () => {
    const ed = await create('ed25519');
    expect(
      await codeOf(
        promised(() =>
          sign({ kms: f.kms, caller: f.admin }, { keyId: ed.keyId, data: text('m'), options: { context: text('c') } }),
        ),
      ),
    ).toBe('BAD_REQUEST');
    const ml = await create('dilithium-2');
    const { signature } = await sign(
      { kms: f.kms, caller: f.admin },
      {
        keyId: ml.keyId,
        data: text('m'),
        options: { context: text('c') },
      },
    );
    expect(
      await verify({ kms: f.kms, caller: f.admin }, { keyId: ml.keyId, data: text('m'), signature }),
    ).toMatchObject({
      valid: false,
    });
    expect(
      await verify(
        { kms: f.kms, caller: f.admin },
        { keyId: ml.keyId, data: text('m'), signature, options: { context: text('c') } },
      ),
    ).toMatchObject({ valid: true });
  });

  test('a MAC verifies across versions and a changed one does not', async () => {
    const { keyId } = await create('hmac-sha3-256');
    const { mac: tag } = await mac({ kms: f.kms, caller: f.admin }, { keyId, data: text('m') });
    await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(await verifyMac({ kms: f.kms, caller: f.admin }, { keyId, data: text('m'), mac: tag })).toMatchObject({
      valid: true,
      keyVersion: 1,
    });
    expect(
      await verifyMac({ kms: f.kms, caller: f.admin }, { keyId, data: text('m'), mac: tag.subarray(1) }),
    ).toMatchObject({
      valid: false,
    });
  });

  test('an outsider encapsulates to the exported public key and the KMS decapsulates', async () => {
    const { keyId } = await create('kyber-1024');
    const { publicKey } = await getPublicKey({ kms: f.kms, caller: f.admin }, { keyId });
    const { sharedKey, ciphertext } = encapsulate(
      createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }),
    );
    expect((await decapsulate({ kms: f.kms, caller: f.admin }, { keyId, ciphertext })).sharedSecret).toEqual(sharedKey);
    const own = await encapsulateTo({ kms: f.kms, caller: f.admin }, { keyId });
    expect(
      (await decapsulate({ kms: f.kms, caller: f.admin }, { keyId, ciphertext: own.ciphertext })).sharedSecret,
    ).toEqual(own.sharedSecret);
  });

  test.each(['x25519', 'ecdh-p256'])('two %s keys derive the same key from each other', async (id) => {
    const [a, b] = [await create(id), await create(id)];
    const publicKeys = await Promise.all(
      [a, b].map(async ({ keyId }) => (await getPublicKey({ kms: f.kms, caller: f.admin }, { keyId })).publicKey),
    );
    const [left, right] = await Promise.all([
      derive(
        { kms: f.kms, caller: f.admin },
        { keyId: a.keyId, peerPublicKey: publicKeys[1] ?? Buffer.alloc(0), info: text('i') },
      ),
      derive(
        { kms: f.kms, caller: f.admin },
        { keyId: b.keyId, peerPublicKey: publicKeys[0] ?? Buffer.alloc(0), info: text('i') },
      ),
    ]);
    expect(left.derivedKey).toEqual(right.derivedKey);
    expect(
      await codeOf(derive({ kms: f.kms, caller: f.admin }, { keyId: a.keyId, peerPublicKey: randomBytes(40) })),
    ).toBe('BAD_REQUEST');
  });
});

describe('lifecycle', () => {
  test('a suspended key decrypts but does not encrypt until it is resumed', async () => {
    const { keyId } = await create();
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    await suspendKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(
      await codeOf(promised(() => encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') }))),
    ).toBe('KEY_STATE_INVALID');
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { ciphertext })))).toBe('no error');
    await resumeKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(
      await codeOf(promised(() => encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') }))),
    ).toBe('no error');
  });

  test('revocation ends every use for ever, and cascades to the keys below when asked', async () => {
    const parent = await create();
    const child = await create(undefined, { parentKeyId: parent.keyId });
    const grandchild = await create(undefined, { parentKeyId: child.keyId });
    const { ciphertext } = await encrypt(
      { kms: f.kms, caller: f.admin },
      { keyId: grandchild.keyId, plaintext: text('x') },
    );
    const revoked = await revokeKey(
      { kms: f.kms, caller: f.admin },
      {
        keyId: parent.keyId,
        reason: 'suspected_compromise',
        cascade: true,
      },
    );
    expect(revoked).toMatchObject({ state: 'revoked', revocation: { reason: 'suspected_compromise' } });
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { ciphertext })))).toBe(
      'KEY_STATE_INVALID',
    );
    expect(await codeOf(resumeKey({ kms: f.kms, caller: f.admin }, { keyId: parent.keyId }))).toBe('KEY_STATE_INVALID');
    await destroyKey({ kms: f.kms, caller: f.admin }, { keyId: parent.keyId });
    expect((await restoreKey({ kms: f.kms, caller: f.admin }, { keyId: parent.keyId })).state).toBe('revoked');
  });

  test('destruction waits, can be taken back to the state before, and then removes all material', async () => {
    const { keyId } = await create();
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    await suspendKey({ kms: f.kms, caller: f.admin }, { keyId });
    const scheduled = await destroyKey({ kms: f.kms, caller: f.admin }, { keyId, pendingDays: 2 });
    expect(scheduled.state).toBe('deactivated');
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { ciphertext })))).toBe(
      'KEY_STATE_INVALID',
    );
    expect((await restoreKey({ kms: f.kms, caller: f.admin }, { keyId })).state).toBe('suspended');
    await destroyKey({ kms: f.kms, caller: f.admin }, { keyId, pendingDays: 2 });
    f.advance(DAY);
    expect((await runDueWork(operationOfService(f.kms, 'runDueWork'), WORKING)).destroyed).toBe(0);
    f.advance(DAY + 1);
    expect(await runDueWork(operationOfService(f.kms, 'runDueWork'), WORKING)).toMatchObject({
      destroyed: 1,
      failed: [],
    });
    expect(await getKey({ kms: f.kms, caller: f.admin }, { keyId })).toMatchObject({
      state: 'destroyed',
      versions: [{ state: 'destroyed' }],
    });
    expect((await f.store.readKey(f.tenantId, keyId))?.versions[0]?.material).toEqual({ kind: 'none' });
    expect(await codeOf(restoreKey({ kms: f.kms, caller: f.admin }, { keyId }))).toBe('KEY_STATE_INVALID');
  });

  test('shredding needs the exact confirmation and is at once', async () => {
    const { keyId } = await create();
    expect(await codeOf(shredKey({ kms: f.kms, caller: f.admin }, { keyId, confirmation: 'SHRED' }))).toBe(
      'BAD_REQUEST',
    );
    expect((await shredKey({ kms: f.kms, caller: f.admin }, { keyId, confirmation: `SHRED-${keyId}` })).state).toBe(
      'destroyed',
    );
  });

  test('retainVersions retires the oldest, whose ciphertexts answer KEY_STATE_INVALID', async () => {
    const { keyId } = await create(undefined, { rotation: { retainVersions: 2 } });
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { ciphertext })))).toBe('no error');
    const key = await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(key.versions.map((version) => version.state)).toEqual(['deactivated', 'decrypt-only', 'active']);
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { ciphertext })))).toBe(
      'KEY_STATE_INVALID',
    );
  });

  test('scheduled rotation happens when it is due by the clock of the store, once', async () => {
    const { keyId } = await create(undefined, { rotation: { periodSeconds: 3600 } });
    f.advance(3_600_001);
    const [first, second] = await Promise.all([
      runDueWork(operationOfService(f.kms, 'runDueWork'), WORKING),
      runDueWork(operationOfService(await f.restarted(), 'runDueWork'), WORKING),
    ]);
    expect((first?.rotated ?? 0) + (second?.rotated ?? 0)).toBe(1);
    expect((await getKey({ kms: f.kms, caller: f.admin }, { keyId })).currentVersion).toBe(2);
  });

  test('in FIPS mode the schedule gives no new version to a key that is not approved, names it, and rotates the others', async () => {
    const rotation = { periodSeconds: 3600 };
    const refused = await create('chacha20-poly1305', { rotation });
    const rotated = await create('aes-256-gcm', { rotation });
    f.advance(3_600_001);
    const fips = { ...f.kms, settings: { ...f.kms.settings, requireFips: true } };
    const report = await runDueWork(operationOfService(fips, 'runDueWork'), WORKING);
    expect(report).toMatchObject({
      rotated: 1,
      failed: [
        {
          key: { keyId: refused.keyId },
          error: { code: 'BAD_REQUEST', message: expect.stringContaining('not approved for FIPS mode') },
        },
      ],
    });
    const versionOf = async (keyId: string) =>
      (await getKey({ kms: f.kms, caller: f.admin }, { keyId })).currentVersion;
    expect([await versionOf(refused.keyId), await versionOf(rotated.keyId)]).toEqual([1, 2]);
  });

  test('upgrade moves a classical signing key to ML-DSA and still verifies the old signatures', async () => {
    const { keyId } = await create('ecdsa-p256');
    const { signature } = await sign({ kms: f.kms, caller: f.admin }, { keyId, data: text('m') });
    expect(await upgradeKey({ kms: f.kms, caller: f.admin }, { keyId })).toMatchObject({
      algorithm: 'dilithium-3',
      purpose: 'signing',
      currentVersion: 2,
    });
    expect(await verify({ kms: f.kms, caller: f.admin }, { keyId, data: text('m'), signature })).toMatchObject({
      valid: true,
      algorithm: 'ecdsa-p256',
    });
  });

  test('a change against an old revision is refused', async () => {
    const { keyId } = await create();
    await rotateKey({ kms: f.kms, caller: f.admin }, { keyId, ifRevision: 1 });
    expect(await codeOf(rotateKey({ kms: f.kms, caller: f.admin }, { keyId, ifRevision: 1 }))).toBe('CONFLICT');
  });

  test('concurrent rotations give versions without gaps', async () => {
    const { keyId } = await create();
    await Promise.all(Array.from({ length: 20 }, () => rotateKey({ kms: f.kms, caller: f.admin }, { keyId })));
    const key = await getKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(key.versions.map((version) => version.version)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1));
    expect(key.versions.filter((version) => version.state === 'active')).toHaveLength(1);
  });

  test('shredding a tenant ends all of its keys', async () => {
    const { keyId } = await create();
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    await shredTenant(
      { kms: f.kms, caller: f.admin },
      {
        tenantId: f.tenantId,
        confirmation: `SHRED-${f.tenantId}`,
        reason: 'end of contract',
      },
    );
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { keyId, ciphertext })))).toBe(
      'NOT_FOUND',
    );
    expect(await codeOf(createKey({ kms: f.kms, caller: f.admin }, {}))).toBe('NOT_FOUND');
  });
});

describe('budgets', () => {
  test('maxOperations is exact under concurrency, also across two services', async () => {
    const { keyId } = await create(undefined, { usageLimits: { maxOperations: 100 } });
    const other = await f.restarted();
    const codes = await Promise.all(
      Array.from({ length: 150 }, (_, index) =>
        codeOf(
          promised(() =>
            encrypt({ kms: index % 2 === 0 ? f.kms : other, caller: f.admin }, { keyId, plaintext: text('x') }),
          ),
        ),
      ),
    );
    expect(codes.filter((code) => code === 'no error')).toHaveLength(100);
    expect(codes.filter((code) => code === 'KEY_USAGE_EXCEEDED')).toHaveLength(50);
  });

  test('a version of a 96-bit-nonce suite stops at its message budget and a rotation gives a new one', async () => {
    f = await makeFixture({ messageBudget: 5 });
    const { keyId } = await create('aes-128-gcm');
    const codes: string[] = [];
    for (let i = 0; i < 6; i += 1)
      codes.push(
        await codeOf(promised(() => encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') }))),
      );
    expect(codes).toEqual([...Array<string>(5).fill('no error'), 'KEY_USAGE_EXCEEDED']);
    await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(
      await codeOf(promised(() => encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') }))),
    ).toBe('no error');
  });

  /** Uses the key, and lets something happen between the moment when a lease is asked for and the one when it is granted. */
  async function whileLeased(use: (kms: Kms) => Promise<unknown>, happen: () => Promise<unknown>): Promise<string> {
    const store: Store = {
      ...f.kms.store,
      transact: async (scope, work) => {
        const granted = await f.store.transact(scope, work);
        await happen();
        return granted;
      },
    };
    return codeOf(use({ ...f.kms, budgets: new OperationBudgets(store) }));
  }

  test.each<[string, (kms: Kms, keyId: string, ciphertext: Uint8Array) => Promise<unknown>]>([
    ['encrypt', async (kms, keyId) => encrypt({ kms, caller: f.admin }, { keyId, plaintext: text('x') })],
    ['decrypt', async (kms, _keyId, ciphertext) => decrypt({ kms, caller: f.admin }, { ciphertext })],
  ])('a key that is revoked while %s waits for its lease is not used', async (_operation, use) => {
    const { keyId } = await create(undefined, { usageLimits: { maxOperations: 1000 } });
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    expect(
      await whileLeased(
        (kms) => use(kms, keyId, ciphertext),
        () => f.kms.keyRing.read(f.tenantId, keyId),
      ),
    ).toBe('no error');
    const revoke = () => revokeKey({ kms: f.kms, caller: f.admin }, { keyId, reason: 'suspected_compromise' });
    expect(await whileLeased((kms) => use(kms, keyId, ciphertext), revoke)).toBe('KEY_STATE_INVALID');
  });

  test('a MAC is not checked either with a key that is revoked meanwhile', async () => {
    const { keyId } = await create('hmac-sha256', { usageLimits: { maxOperations: 1000 } });
    const { mac: tag } = await mac({ kms: f.kms, caller: f.admin }, { keyId, data: text('x') });
    const use = (kms: Kms) => verifyMac({ kms, caller: f.admin }, { keyId, data: text('x'), mac: tag });
    const revoke = () => revokeKey({ kms: f.kms, caller: f.admin }, { keyId, reason: 'suspected_compromise' });
    expect(await whileLeased(use, revoke)).toBe('KEY_STATE_INVALID');
  });

  test('a key that is rotated while its lease is waited for is used in its new version', async () => {
    const { keyId } = await create('aes-128-gcm');
    let versions = 1;
    const rotateOnce = async () => {
      if (versions === 1) versions = (await rotateKey({ kms: f.kms, caller: f.admin }, { keyId })).currentVersion;
    };
    let used: number | undefined;
    await whileLeased(async (kms) => {
      used = (await encrypt({ kms, caller: f.admin }, { keyId, plaintext: text('x') })).keyVersion;
    }, rotateOnce);
    expect([versions, used]).toEqual([2, 2]);
  });

  test('a budget is leased in blocks that double, and a forgotten lease strands no more than was used', async () => {
    const { keyId } = await create('aes-128-gcm');
    const { keyId: another } = await create('aes-128-gcm');
    const key = await f.store.readKey(f.tenantId, keyId);
    const other = await f.store.readKey(f.tenantId, another);
    const version = key?.versions[0];
    const otherVersion = other?.versions[0];
    if (!key || !version || !other || !otherVersion) throw new Error('the key is gone');
    const leased: number[] = [];
    const counting: Store = {
      readKey: (tenantId, id) => f.store.readKey(tenantId, id),
      findToken: (hash) => f.store.findToken(hash),
      ping: () => f.store.ping(),
      transact: (scope, work) =>
        f.store.transact(scope, (unit) => {
          const { keys } = unit;
          const lease = keys.leaseOperations.bind(keys);
          keys.leaseOperations = async (wanted) => {
            const granted = await lease(wanted);
            leased.push(granted);
            return granted;
          };
          return work(unit);
        }),
    };
    const budgets = new OperationBudgets(counting, { maxLeases: 1 });
    const spent = (record: KeyVersionRecord) => ({ record, cipher: cipherOf(record) });
    for (let i = 0; i < 1000; i += 1) await budgets.take(key, spent(version), 'encrypt');
    expect(leased).toEqual([256, 512, 1024]);
    await budgets.take(other, spent(otherVersion), 'encrypt');
    await budgets.take(key, spent(version), 'encrypt');
    expect(leased).toEqual([256, 512, 1024, 256, 256]);
  });

  test('an expired key only processes what it protected', async () => {
    const { keyId } = await create(undefined, { usageLimits: { expiresAt: new Date(f.kms.clock() + 1000) } });
    const { ciphertext } = await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') });
    f.advance(2000);
    expect(
      await codeOf(promised(() => encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') }))),
    ).toBe('KEY_USAGE_EXCEEDED');
    expect(await codeOf(promised(() => decrypt({ kms: f.kms, caller: f.admin }, { ciphertext })))).toBe('no error');
  });
});

describe('access', () => {
  test('a deny in the policy wins, an allow grants what the role lacks, and the rest is up to the role', async () => {
    const user = callerOf(f.tenantId, 'auditor');
    const { keyId } = await create();
    expect(await codeOf(promised(() => encrypt({ kms: f.kms, caller: user }, { keyId, plaintext: text('x') })))).toBe(
      'FORBIDDEN',
    );
    await putKeyPolicy(
      { kms: f.kms, caller: f.admin },
      {
        keyId,
        policy: {
          version: '1',
          statements: [
            {
              effect: 'allow',
              actions: ['kms:encrypt'],
              resources: ['*'],
              principals: [user.subject],
              conditions: { ip: ['127.0.0.0/8'] },
            },
          ],
        },
      },
    );
    expect(await codeOf(promised(() => encrypt({ kms: f.kms, caller: user }, { keyId, plaintext: text('x') })))).toBe(
      'no error',
    );
    expect(
      await codeOf(
        promised(() =>
          encrypt(
            { kms: f.kms, caller: { ...user, attributes: { ip: '10.0.0.1', mfa: false } } },
            { keyId, plaintext: text('x') },
          ),
        ),
      ),
    ).toBe('FORBIDDEN');
    await putKeyPolicy(
      { kms: f.kms, caller: f.admin },
      {
        keyId,
        policy: { version: '1', statements: [{ effect: 'deny', actions: ['kms:enc*'], resources: [keyId] }] },
      },
    );
    expect(
      await codeOf(promised(() => encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') }))),
    ).toBe('FORBIDDEN');
  });

  test('nobody grants what they do not hold', async () => {
    const keyAdmin = callerOf(f.tenantId, 'key_admin');
    const { keyId } = await create();
    const policy = { version: '1', statements: [{ effect: 'allow', actions: ['kms:*'], resources: ['*'] }] } as const;
    expect(await codeOf(putKeyPolicy({ kms: f.kms, caller: keyAdmin }, { keyId, policy }))).toBe('FORBIDDEN');
  });
});

describe('tampering with the store', () => {
  test('a record that was changed behind the back of the KMS is refused', async () => {
    const { keyId } = await create();
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, async (unit) => {
      const record = await unit.keys.get(keyId, { lock: true });
      if (record === undefined) throw new Error('the key is gone');
      await unit.keys.update(
        { ...record, usageLimits: { ...record.usageLimits, maxOperations: 7 }, revision: record.revision + 1 },
        record.revision,
      );
    });
    expect(
      await codeOf(promised(() => encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') }))),
    ).toBe('INTERNAL_ERROR');
    expect(await codeOf(suspendKey({ kms: f.kms, caller: f.admin }, { keyId }))).toBe('INTERNAL_ERROR');
  });

  test('a changed record is named in lists and schedules, which show all the others', async () => {
    const rotation = { periodSeconds: 3600 };
    const [good, bad] = [await create(undefined, { rotation }), await create(undefined, { rotation })];
    await forge(bad.keyId, { name: 'forged' });
    const listed = await listKeys({ kms: f.kms, caller: f.admin }, {});
    expect(listed.items.map((key) => key.keyId)).toEqual([good.keyId]);
    expect(listed.warnings).toEqual([expect.stringContaining(bad.keyId)]);
    const schedules = await rotationSchedules({ kms: f.kms, caller: f.admin }, {});
    expect(schedules.items.map((key) => key.keyId)).toEqual([good.keyId]);
    expect(schedules.warnings).toEqual([expect.stringContaining(bad.keyId)]);
  });

  test('due keys that cannot be worked on hold up no others, however many they are', async () => {
    const rotation = { periodSeconds: 3600 };
    const bad: string[] = [];
    for (let i = 0; i < 101; i += 1) {
      const { keyId } = await create(undefined, { rotation });
      await forge(keyId, { name: 'forged' });
      bad.push(keyId);
    }
    f.advance(1000);
    const good = await create(undefined, { rotation });
    f.advance(3_600_001);
    const report = await runDueWork(operationOfService(f.kms, 'runDueWork'), WORKING);
    expect(report.rotated).toBe(1);
    expect(report.failed.map(({ key }) => key.keyId).sort()).toEqual(bad.sort());
    expect((await getKey({ kms: f.kms, caller: f.admin }, { keyId: good.keyId })).currentVersion).toBe(2);
  });

  async function forge(keyId: string, change: Partial<KeyRecord>): Promise<void> {
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, async (unit) => {
      const record = await unit.keys.get(keyId, { lock: true });
      if (record === undefined) throw new Error('the key is gone');
      await unit.keys.update({ ...record, ...change, revision: record.revision + 1 }, record.revision);
    });
  }
});

describe('the record of a token', () => {
  const insert = (record: ApiTokenRecord) =>
    f.store.transact({ kind: 'system' }, async (unit) => unit.tokens.insert(record));

  /** A token, and its record as a new row with some fields changed, as a writer of the database would make it. */
  async function forged(change: Partial<ApiTokenRecord>, hash: 'hash' | 'legacyHash' = 'hash'): Promise<string> {
    const token = `${TOKEN_PREFIX}${randomBytes(32).toString('base64url')}`;
    const authority = await tokenAuthority(f.kms.hierarchy);
    const record = authority.sign({
      tokenId: newId(),
      tenantId: f.tenantId,
      name: 'ci',
      hash: authority[hash](token),
      role: 'auditor',
      permissions: [],
      createdAt: new Date(),
      expiresAt: null,
      revokedAt: null,
      fields: {},
    });
    await insert({ ...record, ...change });
    return token;
  }

  test('is refused when any field of it was changed', async () => {
    const later = new Date('2030-01-01T00:00:00Z');
    const changes: Partial<ApiTokenRecord>[] = [
      { tokenId: newId() },
      { tenantId: null },
      { name: 'another' },
      { role: 'tenant_admin' },
      { permissions: ['kms:encrypt'] },
      { createdAt: later },
      { expiresAt: later },
      { revokedAt: later },
      { mac: null },
    ];
    expect(await codeOf(authenticated(f.kms, await forged({})))).toBe('no error');
    for (const change of changes)
      expect(await codeOf(authenticated(f.kms, await forged(change))), JSON.stringify(change)).toBe('INTERNAL_ERROR');
  });

  test('may lack its MAC only where it is found by the hash of older tokens', async () => {
    expect(await codeOf(authenticated(f.kms, await forged({ mac: null }, 'legacyHash')))).toBe('no error');
    expect(await codeOf(authenticated(f.kms, await forged({ role: 'key_user' }, 'legacyHash')))).toBe('INTERNAL_ERROR');
  });

  test('can be revoked though it has no MAC or a wrong one, and is authentic from then on', async () => {
    for (const change of [{ mac: null }, { role: 'key_user' }] as const) {
      const token = await forged(change);
      const record = await f.store.findToken((await tokenAuthority(f.kms.hierarchy)).hash(token));
      await revokeApiToken({ kms: f.kms, caller: f.admin }, { tokenId: record?.tokenId ?? '' });
      expect(await codeOf(authenticated(f.kms, token))).toBe('UNAUTHORIZED');
    }
  });
});

describe('import', () => {
  async function wrapped(material: Uint8Array, wrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' | 'ML_KEM_768_AES_KWP') {
    const { publicKey, importToken } = await createImportParameters(
      { kms: f.kms, caller: f.admin },
      { wrappingAlgorithm },
    );
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    if (wrappingAlgorithm === 'ML_KEM_768_AES_KWP') {
      const { sharedKey, ciphertext } = encapsulate(key);
      return {
        wrappingAlgorithm,
        importToken,
        wrappedMaterial: Buffer.concat([ciphertext, wrapWithPadding(sharedKey, material)]),
      };
    }
    const kek = randomBytes(32);
    const encrypted = publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, kek);
    return {
      wrappingAlgorithm,
      importToken,
      wrappedMaterial: Buffer.concat([encrypted, wrapWithPadding(kek, material)]),
    };
  }

  test('is paid for before anything is unwrapped', async () => {
    const algorithm = resolveAlgorithm('AES-256-GCM');
    const [importToken, wrappedMaterial] = [randomBytes(100), randomBytes(100)];
    const input = { algorithm, wrappingAlgorithm: 'ML_KEM_768_AES_KWP', importToken, wrappedMaterial } as const;
    const refusal = new KmsError('TOO_MANY_REQUESTS', 'Too much.');
    const asked: number[] = [];
    const pay = (units: number) => {
      asked.push(units);
      throw refusal;
    };
    await expect(importKey({ kms: f.kms, caller: f.admin, pay }, input)).rejects.toBe(refusal);
    expect(asked).toEqual([costOfWork(algorithm, 'accept')]);
  });

  test.each(['RSA_AES_KEY_WRAP_SHA_256', 'ML_KEM_768_AES_KWP'] as const)(
    '%s brings in a key that other systems share',
    async (wrappingAlgorithm) => {
      const material = randomBytes(32);
      const iv = randomBytes(16);
      const cipher = createCipheriv('aes-256-cbc', material, iv);
      const legacy = Buffer.concat([iv, cipher.update('old data'), cipher.final()]);
      const key = await importKey(
        { kms: f.kms, caller: f.admin },
        {
          algorithm: resolveAlgorithm('aes-256-cbc'),
          ...(await wrapped(material, wrappingAlgorithm)),
        },
      );
      expect(key).toMatchObject({ purpose: 'decrypt', versions: [{ origin: 'imported' }] });
      expect(
        Buffer.from(
          (await decrypt({ kms: f.kms, caller: f.admin }, { keyId: key.keyId, ciphertext: legacy })).plaintext,
        ).toString(),
      ).toBe('old data');
      expect(await codeOf(rotateKey({ kms: f.kms, caller: f.admin }, { keyId: key.keyId }))).toBe('KEY_STATE_INVALID');
      const legacyAgain = importKey(
        { kms: f.kms, caller: f.admin },
        {
          algorithm: resolveAlgorithm('aes-256-cbc'),
          keyId: key.keyId,
          ...(await wrapped(randomBytes(32), wrappingAlgorithm)),
        },
      );
      await expect(legacyAgain).rejects.toThrow(/import another key/);
      const algorithm = resolveAlgorithm('aes-256-gcm');
      const first = await importKey(
        { kms: f.kms, caller: f.admin },
        { algorithm, ...(await wrapped(material, wrappingAlgorithm)) },
      );
      const again = await importKey(
        { kms: f.kms, caller: f.admin },
        {
          algorithm,
          keyId: first.keyId,
          ...(await wrapped(randomBytes(32), wrappingAlgorithm)),
        },
      );
      expect(again.currentVersion).toBe(2);
    },
  );

  test('material that does not fit its algorithm is refused with the reason', async () => {
    const wrongs: [string, Uint8Array, RegExp][] = [
      ['aes-256-gcm', randomBytes(16), /32 bytes, not 16/],
      [
        'ecdsa-p256',
        generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey.export({ format: 'der', type: 'pkcs8' }),
        /named curve/,
      ],
      [
        'ecdsa-p256',
        generateKeyPairSync('ec', { namedCurve: 'prime256v1', paramEncoding: 'explicit' }).privateKey.export({
          format: 'der',
          type: 'pkcs8',
        }),
        /explicit/,
      ],
      [
        'rsa-3072',
        generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'der', type: 'pkcs8' }),
        /3072 bits, not 2048/,
      ],
      [
        'rsa-2048',
        generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey.export({
          format: 'der',
          type: 'pkcs8',
        }),
        /exponent/,
      ],
      [
        'dilithium-3',
        generateKeyPairSync('ml-dsa-44').privateKey.export({ format: 'der', type: 'pkcs8' }),
        /ml-dsa-65/,
      ],
      ['ed25519', Buffer.alloc(32, 7), /PKCS #8/],
    ];
    for (const [id, material, reason] of wrongs) {
      const call = importKey(
        { kms: f.kms, caller: f.admin },
        {
          algorithm: resolveAlgorithm(id),
          ...(await wrapped(material, 'ML_KEM_768_AES_KWP')),
        },
      );
      await expect(call, id).rejects.toThrow(reason);
    }
  });

  test('a damaged blob, a foreign token and an expired token are refused', async () => {
    const blob = await wrapped(randomBytes(32), 'ML_KEM_768_AES_KWP');
    const algorithm = resolveAlgorithm('aes-256-gcm');
    const damaged = Buffer.from(blob.wrappedMaterial);
    damaged[5] = (damaged[5] ?? 0) ^ 1;
    await expect(
      importKey({ kms: f.kms, caller: f.admin }, { algorithm, ...blob, wrappedMaterial: damaged }),
    ).rejects.toThrow(/cannot be opened/);
    await expect(
      importKey(
        { kms: f.kms, caller: f.admin },
        { algorithm, ...blob, wrappedMaterial: blob.wrappedMaterial.subarray(0, 1088) },
      ),
    ).rejects.toThrow(/cannot be opened/);
    await expect(
      importKey({ kms: f.kms, caller: f.admin }, { algorithm, ...blob, importToken: randomBytes(100) }),
    ).rejects.toThrow(/importToken/);
    f.advance(2 * DAY);
    await expect(importKey({ kms: f.kms, caller: f.admin }, { algorithm, ...blob })).rejects.toThrow(/expired/);
  });
});

describe('a spent version', () => {
  test('gives way to a new one where the key rotates by itself', async () => {
    f = await makeFixture({ messageBudget: 5 });
    const { keyId } = await create('chacha20-poly1305', { rotation: { periodSeconds: 86_400 } });
    const versions: number[] = [];
    for (let i = 0; i < 11; i += 1)
      versions.push((await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: text('x') })).keyVersion);
    expect(versions).toEqual([1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]);
  });

  test('is replaced once when many calls find it spent', async () => {
    f = await makeFixture({ messageBudget: 5 });
    const { keyId } = await create('aes-128-gcm', { rotation: { periodSeconds: 86_400 } });
    const other = await f.restarted();
    const made = await Promise.all(
      Array.from({ length: 10 }, async (_, index) =>
        encrypt({ kms: index % 2 === 0 ? f.kms : other, caller: f.admin }, { keyId, plaintext: text('x') }),
      ),
    );
    expect(made.map((result) => result.keyVersion).sort()).toEqual([1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
  });
});

describe('what a policy denies', () => {
  test('re-encryption under another key takes what reading and writing take', async () => {
    const user = callerOf(f.tenantId, 'key_user');
    const [source, target] = [await create(), await create()];
    const { ciphertext } = await encrypt(
      { kms: f.kms, caller: f.admin },
      { keyId: source.keyId, plaintext: text('x') },
    );
    const policy = {
      version: '1',
      statements: [{ effect: 'deny', actions: ['kms:decrypt'], resources: ['*'] }],
    } as const;
    await putKeyPolicy({ kms: f.kms, caller: f.admin }, { keyId: source.keyId, policy });
    expect(await codeOf(reencrypt({ kms: f.kms, caller: user }, { ciphertext, destinationKeyId: target.keyId }))).toBe(
      'FORBIDDEN',
    );
    expect(await codeOf(reencrypt({ kms: f.kms, caller: user }, { ciphertext }))).toBe('no error');
  });

  test('kms:keys:use stands for every operation, and what cannot be read is not listed', async () => {
    const user = callerOf(f.tenantId, 'key_user');
    const { keyId } = await create();
    const statements = [
      { effect: 'deny', actions: ['kms:keys:use', 'kms:keys:read'], resources: ['*'], principals: [user.subject] },
    ] as const;
    await putKeyPolicy({ kms: f.kms, caller: f.admin }, { keyId, policy: { version: '1', statements } });
    expect(await codeOf(promised(() => encrypt({ kms: f.kms, caller: user }, { keyId, plaintext: text('x') })))).toBe(
      'FORBIDDEN',
    );
    expect((await listKeys({ kms: f.kms, caller: user }, {})).items).toEqual([]);
    expect((await listKeys({ kms: f.kms, caller: f.admin }, {})).items).toHaveLength(1);
  });
});

describe('verification over several versions', () => {
  test('takes one operation of the budget for each version that it asks', async () => {
    const { keyId } = await create('hmac-sha256', { usageLimits: { maxOperations: 5 } });
    const { mac: tag } = await mac({ kms: f.kms, caller: f.admin }, { keyId, data: text('m') });
    await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    const verified = (keyVersion?: number) =>
      codeOf(
        verifyMac(
          { kms: f.kms, caller: f.admin },
          { keyId, data: text('m'), mac: tag, ...(keyVersion && { keyVersion }) },
        ),
      );
    expect(await verified()).toBe('no error');
    expect(await verified(1)).toBe('no error');
    expect(await verified(1)).toBe('KEY_USAGE_EXCEEDED');
  });

  test('goes on after an upgrade with the options of the old algorithm', async () => {
    const { keyId } = await create('ecdsa-p256');
    const options = { format: 'ieee-p1363' } as const;
    const { signature } = await sign({ kms: f.kms, caller: f.admin }, { keyId, data: text('m'), options });
    await upgradeKey({ kms: f.kms, caller: f.admin }, { keyId });
    expect(await verify({ kms: f.kms, caller: f.admin }, { keyId, data: text('m'), signature, options })).toMatchObject(
      {
        valid: true,
        keyVersion: 1,
      },
    );
  });
});

describe('the platform token of the configuration', () => {
  test('ends when another one is configured, and when none is', async () => {
    const [first, second] = ['a', 'b'].map((letter) => `qnsp_pqc_${letter.repeat(43)}`) as [string, string];
    await installPlatformToken(operationOfService(f.kms, 'installPlatformToken'), first);
    expect((await authenticateToken(f.kms, first)).tenantId).toBeNull();
    await installPlatformToken(operationOfService(f.kms, 'installPlatformToken'), second);
    expect(await codeOf(authenticated(f.kms, first))).toBe('UNAUTHORIZED');
    expect(await codeOf(authenticated(f.kms, second))).toBe('no error');
    await installPlatformToken(operationOfService(f.kms, 'installPlatformToken'), undefined);
    expect(await codeOf(authenticated(f.kms, second))).toBe('UNAUTHORIZED');
  });
});
