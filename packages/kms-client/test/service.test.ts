import {
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  verify as verifySignature,
} from 'node:crypto';
import { ALL_ROUTES } from '@qnsp/kms-contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKmsClient, HttpKmsServiceClient, type KmsClient, KmsClientError } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import { type StartedService, startedService } from './started-service.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
let service: StartedService;
let kms: KmsClient;

beforeAll(async () => {
  service = await startedService();
  kms = createKmsClient({ baseUrl: service.baseUrl, token: service.token });
});
afterAll(async () => {
  await service.end();
});

const OF_MANY = ['allInventory', 'allKeys', 'allTenants', 'allTokens'];

describe('the operations', () => {
  test('have a method each, and no method is of no operation', () => {
    const operations = ALL_ROUTES.map(({ operationId }) => operationId);
    expect(Object.keys(kms).sort()).toEqual(
      [...operations, ...OF_MANY, 'batch', 'reencryptAll', 'streamInventory'].sort(),
    );
  });

  test('encrypt, decrypt and re-encrypt bytes', async () => {
    const { keyId } = await kms.createKey({ name: 'bytes' });
    const other = await kms.createKey({});
    const plaintext = randomBytes(65_536);
    const context = { row: 'ß', '': 'never' };
    const named = { row: 'ß' };
    const sealed = await kms.encrypt({ keyId, plaintext, context: named });
    expect(sealed).toMatchObject({ keyId, keyVersion: 1, algorithm: 'aes-256-gcm' });
    expect(sealed.ciphertext).toBeInstanceOf(Uint8Array);
    const opened = await kms.decrypt({ ciphertext: sealed.ciphertext, context: named });
    expect(Buffer.compare(opened.plaintext, plaintext)).toBe(0);
    expect((await failureOf(kms.encrypt({ keyId, plaintext, context }))).code).toBe('BAD_REQUEST');
    const moved = await kms.reencrypt({
      sourceKeyId: keyId,
      ciphertext: sealed.ciphertext,
      context: named,
      destinationKeyId: other.keyId,
      newContext: {},
    });
    expect(moved.keyId).toBe(other.keyId);
    expect(
      Buffer.compare((await kms.decrypt({ keyId: other.keyId, ciphertext: moved.ciphertext })).plaintext, plaintext),
    ).toBe(0);
    const elsewhere = await kms.reencrypt({ ciphertext: moved.ciphertext });
    expect(elsewhere.keyId).toBe(other.keyId);
  });

  test('sign, verify and authenticate', async () => {
    const signer = await kms.createKey({ algorithm: 'ML-DSA-65' });
    const data = bytes('message');
    const signed = await kms.sign({ keyId: signer.keyId, data, context: bytes('c') });
    expect(
      await kms.verify({ keyId: signer.keyId, data, context: bytes('c'), signature: signed.signature }),
    ).toMatchObject({ valid: true });
    expect(
      await kms.verify({ keyId: signer.keyId, data: bytes('other'), context: bytes('c'), signature: signed.signature }),
    ).toMatchObject({ valid: false });
    const ed = await kms.createKey({ algorithm: 'ed25519' });
    const { publicKey, publicKeyPem } = await kms.getPublicKey({ keyId: ed.keyId, version: 1 });
    const { signature } = await kms.sign({ keyId: ed.keyId, data });
    expect(
      verifySignature(
        null,
        data,
        createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }),
        signature,
      ),
    ).toBe(true);
    expect(verifySignature(null, data, publicKeyPem, signature)).toBe(true);
    const authenticator = await kms.createKey({ algorithm: 'hmac-sha256' });
    const { mac } = await kms.mac({ keyId: authenticator.keyId, data });
    expect(await kms.verifyMac({ keyId: authenticator.keyId, data, mac })).toMatchObject({ valid: true });
    expect(await kms.verifyMac({ keyId: authenticator.keyId, data, mac: mac.slice(1) })).toMatchObject({
      valid: false,
    });
  });

  test('establish keys', async () => {
    const kem = await kms.createKey({ algorithm: 'kyber-768' });
    const sent = await kms.encapsulate({ keyId: kem.keyId });
    const received = await kms.decapsulate({
      keyId: kem.keyId,
      ciphertext: sent.ciphertext,
      keyVersion: sent.keyVersion,
    });
    expect(Buffer.compare(sent.sharedSecret, received.sharedSecret)).toBe(0);
    const agreement = await kms.createKey({ algorithm: 'x25519' });
    const peer = generateKeyPairSync('x25519');
    const { derivedKey } = await kms.derive({
      keyId: agreement.keyId,
      peerPublicKey: peer.publicKey.export({ format: 'der', type: 'spki' }),
      info: bytes('session'),
      length: 64,
    });
    const { publicKey } = await kms.getPublicKey({ keyId: agreement.keyId });
    const secret = diffieHellman({
      privateKey: peer.privateKey,
      publicKey: createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }),
    });
    const expected = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(), 'session', 64));
    expect(Buffer.compare(derivedKey, expected)).toBe(0);
  });

  test('wrap keys and make data keys', async () => {
    const { keyId } = await kms.createKey({});
    const dataKey = randomBytes(32);
    const { wrappedKey, provider } = await kms.wrap({ keyId, dataKey, associatedData: bytes('a') });
    const unwrapped = await kms.unwrap({ keyId, wrappedKey, associatedData: bytes('a'), providerHint: provider });
    expect(Buffer.compare(unwrapped.dataKey, dataKey)).toBe(0);
    const made = await kms.createDataKey({ keyId, bytes: 64 });
    expect(made.dataKey).toHaveLength(64);
    expect(
      Buffer.compare(
        (await kms.unwrap({ keyId, wrappedKey: made.wrappedKey })).dataKey,
        made.dataKey ?? new Uint8Array(),
      ),
    ).toBe(0);
    expect(await kms.createDataKey({ keyId, withPlaintext: false })).not.toHaveProperty('dataKey');
  });

  test('change keys, with the revision that was seen', async () => {
    const created = await kms.createKey({
      name: 'life',
      rotation: { rotationPeriod: 'P90D' },
      usageLimits: { expiresAt: new Date(Date.now() + 86_400_000) },
    });
    const { keyId } = created;
    const renamed = await kms.updateKey({ keyId, name: 'new name', ifRevision: created.revision });
    expect(renamed).toMatchObject({ name: 'new name', revision: created.revision + 1 });
    expect(await failureOf(kms.updateKey({ keyId, name: 'late', ifRevision: created.revision }))).toMatchObject({
      code: 'CONFLICT',
      statusCode: 409,
      retryable: false,
    });
    expect(await kms.updateKey({ keyId, name: null })).toMatchObject({ name: null });
    expect(await kms.rotateKey({ keyId })).toMatchObject({ currentVersion: 2 });
    expect(await kms.upgradeKey({ keyId })).toMatchObject({ currentVersion: 3 });
    expect(await kms.suspendKey({ keyId })).toMatchObject({ state: 'suspended' });
    expect(await kms.resumeKey({ keyId })).toMatchObject({ state: 'active' });
    expect(
      await kms.putKeyPolicy({
        keyId,
        version: '1',
        statements: [{ effect: 'deny', actions: ['kms:sign'], resources: ['*'] }],
      }),
    ).toMatchObject({ keyId });
    expect(await kms.getKeyPolicy({ keyId })).toMatchObject({ statements: [{ effect: 'deny' }] });
    expect(await kms.deleteKeyPolicy({ keyId })).toMatchObject({ keyId });
    expect(await kms.destroyKey({ keyId, pendingWindow: 3 })).toMatchObject({ state: 'deactivated' });
    expect(await kms.restoreKey({ keyId })).toMatchObject({ state: 'active' });
    expect(await kms.revokeKey({ keyId, reason: 'end_of_life' })).toMatchObject({ state: 'revoked' });
    expect(await kms.shredKey({ keyId, confirmation: `SHRED-${keyId}` })).toMatchObject({ state: 'destroyed' });
    expect(await failureOf(kms.encrypt({ keyId, plaintext: bytes('x') }))).toMatchObject({ code: 'KEY_STATE_INVALID' });
  });

  test('list, count and schedule', async () => {
    for (let count = 0; count < 7; count += 1) await kms.createKey({ name: 'one of seven' });
    const found: string[] = [];
    for await (const key of kms.allKeys({ name: 'one of seven', limit: 3 })) found.push(key.keyId);
    expect(new Set(found).size).toBe(7);
    expect((await kms.listKeys({ limit: 2 })).items).toHaveLength(2);
    expect(await kms.getKeyStats()).toHaveProperty('total');
    expect((await kms.listRotationSchedules({ limit: 1 })).items.length).toBeLessThanOrEqual(1);
    expect((await kms.listUpcomingRotations({ withinDays: 100 })).items).toBeInstanceOf(Array);
  });

  test('administer tokens', async () => {
    const made = await kms.createToken({ name: 'reader', role: 'auditor', expiresAt: new Date(Date.now() + 60_000) });
    const reader = createKmsClient({ baseUrl: service.baseUrl, token: made.token });
    expect((await reader.getOwnToken()).tokenId).toBe(made.tokenId);
    expect(await failureOf(reader.getToken({ tokenId: made.tokenId }))).toMatchObject({ code: 'FORBIDDEN' });
    const next = await reader.rotateToken({ tokenId: made.tokenId, overlapSeconds: 60 });
    expect(next).toMatchObject({ replaces: made.tokenId, role: 'auditor', expiresAt: made.expiresAt });
    expect((await kms.getToken({ tokenId: made.tokenId })).overlapEndsAt).not.toBeNull();
    expect(await failureOf(reader.createKey({}))).toMatchObject({ code: 'FORBIDDEN', statusCode: 403 });
    expect((await kms.listTokens()).items.map(({ tokenId }) => tokenId)).toContain(made.tokenId);
    expect(await kms.revokeToken({ tokenId: made.tokenId })).toEqual({
      tokenId: made.tokenId,
      revoked: true,
      revokedTokens: 1,
      more: false,
      warnings: [expect.stringContaining('the one that replaced it')],
    });
    expect(await failureOf(reader.getKeyStats())).toMatchObject({ code: 'UNAUTHORIZED', statusCode: 401 });
    expect(await failureOf(kms.listTenants())).toMatchObject({ code: 'FORBIDDEN' });
    expect(await failureOf(kms.createTenant({ name: 'none' }))).toMatchObject({ code: 'FORBIDDEN' });
    expect(
      await failureOf(kms.shredTenant({ tenantId: service.tenantId, confirmation: 'no', reason: 'no' })),
    ).toBeInstanceOf(KmsClientError);
  });

  test('ask about the service', async () => {
    expect(await kms.getHealth()).toMatchObject({ status: 'ok' });
    expect(await kms.getLiveness()).toMatchObject({ status: 'ok' });
    expect(await kms.getReadiness()).toMatchObject({ status: 'ok' });
    expect(await kms.getMetrics()).toContain('# TYPE');
    expect(await kms.getOpenApi()).toHaveProperty('openapi');
    expect((await kms.getRandom({ bytes: 17 })).random).toHaveLength(17);
    expect((await kms.getImportParameters({ wrappingAlgorithm: 'ML_KEM_768_AES_KWP' })).importToken).toBeInstanceOf(
      Uint8Array,
    );
    expect(
      await failureOf(
        kms.importKey({
          algorithm: 'aes-256-gcm',
          wrappingAlgorithm: 'ML_KEM_768_AES_KWP',
          importToken: bytes('no'),
          wrappedMaterial: bytes('no'),
        }),
      ),
    ).toBeInstanceOf(KmsClientError);
    expect(await kms.activateSdk({ sdkId: 'kms-client' })).toMatchObject({
      activated: true,
      tenantId: service.tenantId,
    });
  });
});

describe('a change', () => {
  test('happens once however often it is sent under one idempotency key', async () => {
    const options = { idempotencyKey: `once-${Date.now()}` };
    const [first, second] = [
      await kms.createKey({ name: 'once' }, options),
      await kms.createKey({ name: 'once' }, options),
    ];
    expect(second.keyId).toBe(first.keyId);
    expect(await failureOf(kms.createKey({ name: 'twice' }, options))).toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
    expect((await kms.createKey({ name: 'once' })).keyId).not.toBe(first.keyId);
  });
});

describe('a batch', () => {
  test('of more than 1,000 items keeps their order, and one bad item does not disturb the others', async () => {
    const { keyId } = await kms.createKey({});
    const items = Array.from({ length: 2345 }, (_, index) => ({ keyId, plaintext: bytes(`item ${index}`) }));
    const sealed = await kms.batch('encrypt', items);
    const ciphertexts = sealed.map((result) => (result.ok ? result.value.ciphertext : new Uint8Array()));
    const broken = ciphertexts.with(1234, new Uint8Array(40));
    const opened = await kms.batch(
      'decrypt',
      broken.map((ciphertext) => ({ ciphertext })),
    );
    for (const [index, result] of opened.entries()) {
      if (index === 1234)
        expect(result).toMatchObject({ ok: false, error: { code: 'DECRYPT_FAILED', statusCode: 422 } });
      else expect(result.ok && new TextDecoder().decode(result.value.plaintext)).toBe(`item ${index}`);
    }
  });

  test('larger than 8 MiB is sent in parts', async () => {
    const { keyId } = await kms.createKey({});
    const items = Array.from({ length: 150 }, () => ({ keyId, plaintext: new Uint8Array(65_536) }));
    expect((await kms.batch('encrypt', items)).every(({ ok }) => ok)).toBe(true);
  });

  test('for keys that only the path names goes to each of them', async () => {
    const keys = [await kms.createKey({}), await kms.createKey({})];
    const items = Array.from({ length: 5 }, (_, index) => ({
      keyId: keys[index % 2]?.keyId ?? '',
      dataKey: randomBytes(32),
    }));
    const results = await kms.batch('wrap', items);
    expect(results.map((result) => result.ok && result.value.keyId)).toEqual(items.map(({ keyId }) => keyId));
  });

  test('of nothing sends nothing', async () => {
    expect(await kms.batch('encrypt', [])).toEqual([]);
  });
});

describe('HttpKmsServiceClient', () => {
  test('wraps and unwraps base64 with a token, and with a function that gives the header', async () => {
    const { keyId } = await kms.createKey({});
    const tenantId = service.tenantId;
    const dataKey = randomBytes(32).toString('base64');
    const associatedData = Buffer.from('row').toString('base64');
    const plain = new HttpKmsServiceClient(service.baseUrl, service.token);
    const wrapped = await plain.wrapKey({ tenantId, keyId, dataKey, associatedData });
    expect(wrapped).toEqual({
      keyId,
      wrappedKey: expect.any(String),
      algorithm: 'aes-256-gcm',
      algorithmNist: 'AES-256-GCM',
      provider: 'software',
    });
    const dynamic = new HttpKmsServiceClient(service.baseUrl, { getAuthHeader: async () => `Bearer ${service.token}` });
    const { wrappedKey } = wrapped;
    expect(await dynamic.unwrapKey({ tenantId, keyId, wrappedKey, associatedData, providerHint: 'software' })).toEqual({
      dataKey,
    });
    expect(await failureOf(dynamic.unwrapKey({ tenantId, keyId, wrappedKey }))).toMatchObject({
      code: 'DECRYPT_FAILED',
    });
    expect(await failureOf(dynamic.wrapKey({ tenantId, keyId, dataKey: 'not_base64' }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    const nobody = new HttpKmsServiceClient(service.baseUrl, { getAuthHeader: () => undefined });
    expect(await failureOf(nobody.wrapKey({ tenantId, keyId, dataKey }))).toMatchObject({ code: 'UNAUTHORIZED' });
  });
});
