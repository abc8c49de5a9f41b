import { describe, expect, test } from 'vitest';
import {
  createApiToken,
  createIdentityBinding,
  createKey,
  createTenant,
  deleteIdentityBinding,
  denyIdentity,
  destroyKey,
  encrypt,
  getKey,
  KmsError,
  once,
  type Operation,
  OperationCounter,
  type OperationName,
  type Quotas,
  resolveAlgorithm,
  revokeApiToken,
  revokeKey,
  rotateApiToken,
  rotateKey,
  runDueWork,
  shredKey,
  suspendKey,
  SYSTEM_TENANT,
  tenantUsage,
  updateTenant,
  upgradeKey,
} from '../src/exports/internal.ts';
import { failure } from './crypto-samples.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

const BINDING = { issuer: 'https://issuer.example', match: { sub: 'orders' }, role: 'key_user' } as const;
const TOKEN = { name: 'token', role: 'key_user' } as const;
const operator = callerOf(SYSTEM_TENANT, null, ['kms:tenants:manage']);

const refusal = (limit: keyof Quotas, maximum: number, used = maximum) => ({
  code: 'QUOTA_EXCEEDED',
  message: expect.stringContaining(`${used}`),
  details: { limit, maximum, used },
});

const setLimits = (f: Fixture, limits: Partial<Record<keyof Quotas, number | null>>) =>
  updateTenant({ kms: f.kms, caller: operator }, { tenantId: f.tenantId, limits });

describe('a tenant', () => {
  test('has as many keys as it may, and another one when one is destroyed', async () => {
    const f = await makeFixture({ quotas: { keys: 2 } });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, {});
    await createKey(op, {});
    await expect(createKey(op, {})).rejects.toMatchObject(refusal('keys', 2));
    await destroyKey(op, { keyId, pendingDays: 7 });
    await expect(createKey(op, {})).rejects.toMatchObject(refusal('keys', 2));
    await shredKey(op, { keyId, confirmation: `SHRED-${keyId}`, statedReason: 'not needed' });
    await createKey(op, {});
  });

  test('gets the answer of the creation that took the last room, when that is repeated', async () => {
    const f = await makeFixture({ quotas: { keys: 1 } });
    const op = { kms: f.kms, caller: f.admin, idempotency: { key: 'k', fingerprint: new Uint8Array(32) } };
    const { keyId } = await createKey(op, {});
    expect(await createKey(op, {})).toMatchObject({ keyId });
  });

  test('has as many API tokens as it may: each of them can be rotated, and none takes part that has ended', async () => {
    const f = await makeFixture({ quotas: { tokens: 2 } });
    const op = { kms: f.kms, caller: f.admin };
    const [first, second] = [await createApiToken(op, TOKEN), await createApiToken(op, TOKEN)];
    await expect(createApiToken(op, TOKEN)).rejects.toMatchObject(refusal('tokens', 2));
    const successor = await rotateApiToken(op, { tokenId: first.tokenId, overlapSeconds: 3600 });
    await expect(createApiToken(op, TOKEN)).rejects.toMatchObject(refusal('tokens', 2));
    await revokeApiToken(op, { tokenId: successor.tokenId });
    await createApiToken(op, { ...TOKEN, expiresAt: new Date(f.kms.clock() + 60_000) });
    await expect(createApiToken(op, TOKEN)).rejects.toMatchObject(refusal('tokens', 2));
    f.advance(61_000);
    await createApiToken(op, TOKEN);
    await revokeApiToken(op, { tokenId: second.tokenId });
    await createApiToken(op, TOKEN);
  });

  test('has as many identity bindings as it may', async () => {
    const f = await makeFixture({ quotas: { identityBindings: 1 } });
    const op = { kms: f.kms, caller: f.admin };
    await createIdentityBinding(op, BINDING);
    await expect(createIdentityBinding(op, BINDING)).rejects.toMatchObject(refusal('identityBindings', 1));
  });

  test('deletes so many identity bindings before it may make no other, and the more may have the more', async () => {
    const f = await makeFixture({ quotas: { identityBindings: 1 } });
    const op = { kms: f.kms, caller: f.admin };
    for (let deleted = 0; deleted < 100; deleted += 1)
      await deleteIdentityBinding(op, await createIdentityBinding(op, BINDING));
    await expect(createIdentityBinding(op, BINDING)).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      details: { limit: 'removedIdentityBindings', maximum: 100, used: 100 },
    });
    await setLimits(f, { identityBindings: 2 });
    await deleteIdentityBinding(op, await createIdentityBinding(op, BINDING));
    await setLimits(f, { identityBindings: 0 });
    await createIdentityBinding(op, BINDING);
  });

  test('does as many operations in a month as it may, counted over all nodes as often as they add theirs', async () => {
    const f = await makeFixture({ quotas: { operationsPerMonth: 10 } });
    const op = { kms: f.kms, caller: f.admin };
    const other = { kms: { ...(await f.restarted()), counter: new OperationCounter() }, caller: f.admin };
    const { keyId } = await createKey(op, {});
    const flush = (of: typeof op) => of.kms.counter.flush(f.store, of.kms.quotas);
    const plaintext = Buffer.from('x');
    const use = async (of: typeof op, times: number) => {
      for (let done = 0; done < times; done += 1) await encrypt(of, { keyId, plaintext });
    };
    const refused = async (of: typeof op, maximum: number, used = maximum) => {
      await expect(use(of, 1)).rejects.toMatchObject(refusal('operationsPerMonth', maximum, used));
    };
    await use(op, 3);
    await flush(op);
    await use(op, 3);
    await use(other, 4);
    await flush(op);
    await use(op, 4);
    await refused(op, 10);
    await flush(other);
    await flush(op);
    // What two nodes did before they heard of one another is beyond it, and counts.
    await refused(op, 10, 14);
    await refused(other, 10, 10);
    await flush(other);
    await refused(other, 10, 14);
    await setLimits(f, { operationsPerMonth: 15 });
    await flush(other);
    await use(other, 1);
    await refused(other, 15);
    await setLimits(f, { operationsPerMonth: 0 });
    await flush(op);
    await use(op, 20);
  });

  test('begins a month with none of its operations done', async () => {
    const f = await makeFixture({ quotas: { operationsPerMonth: 2 } });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, {});
    const use = async () => encrypt(op, { keyId, plaintext: Buffer.from('x') });
    await use();
    await f.kms.counter.flush(f.store, f.kms.quotas);
    await use();
    await expect(use()).rejects.toMatchObject(refusal('operationsPerMonth', 2));
    f.advance(32 * 24 * 60 * 60 * 1000);
    await use();
    await f.kms.counter.flush(f.store, f.kms.quotas);
    await expect(tenantUsage(op, { tenantId: f.tenantId })).resolves.toMatchObject({
      operationsThisMonth: expect.any(Number),
      operationsPerMonth: { maximum: 2 },
    });
  });

  test('is counted for, and keeps what it did, while its record is not authentic', async () => {
    const f = await makeFixture();
    const broken = { of: () => Promise.reject(new KmsError('INTERNAL_ERROR', 'forged')) };
    f.kms.counter.count(f.tenantId);
    await f.kms.counter.flush(f.store, broken);
    expect(f.kms.counter.pending(f.tenantId)).toBe(0);
    f.kms.counter.count(f.tenantId);
    const away = { of: () => Promise.reject(new KmsError('STORE_UNAVAILABLE', 'away')) };
    await expect(f.kms.counter.flush(f.store, away)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(f.kms.counter.pending(f.tenantId)).toBe(1);
  });

  test('has any number where the quota is 0', async () => {
    const f = await makeFixture({
      quotas: { keys: 0, keyVersions: 0, tokens: 0, identityBindings: 0, operationsPerMonth: 0, keptAnswers: 0 },
    });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, {});
    await rotateKey(op, { keyId });
    await createApiToken(op, TOKEN);
    await createIdentityBinding(op, BINDING);
  });

  test('may have more or less than the others, from the moment in which the platform says so', async () => {
    const f = await makeFixture({ quotas: { keys: 1, tokens: 1 } });
    const op = { kms: f.kms, caller: f.admin };
    await createKey(op, {});
    await createApiToken(op, TOKEN);
    expect(await setLimits(f, { keys: 2 })).toMatchObject({ limits: { rate: null, keys: 2, tokens: null } });
    await createKey(op, {});
    await expect(createKey(op, {})).rejects.toMatchObject(refusal('keys', 2));
    await setLimits(f, { tokens: 0 });
    await createApiToken(op, TOKEN);
    await expect(createKey(op, {})).rejects.toMatchObject(refusal('keys', 2));
    await setLimits(f, { keys: null });
    await expect(createKey(op, {})).rejects.toMatchObject(refusal('keys', 1, 2));
    const { tenantId } = await createTenant({ kms: f.kms, caller: operator }, { name: 'other' });
    await createKey({ kms: f.kms, caller: callerOf(tenantId, 'tenant_admin') }, {});
  });

  test('has the quotas that the platform set, not those that somebody writes into the database', async () => {
    const f = await makeFixture({ quotas: { keys: 1 } });
    await f.store.transact({ kind: 'system' }, async (unit) => {
      const tenant = await unit.tenants.get(f.tenantId);
      if (tenant === undefined) throw new Error('there is no tenant');
      await unit.tenants.setFields({ ...tenant, fields: { '!keys': 1000 } });
    });
    await expect(createKey({ kms: f.kms, caller: f.admin }, {})).rejects.toThrow(failure('INTERNAL_ERROR'));
  });
});

describe('a key', () => {
  test('has as many versions as its tenant may give it, whatever would add one', async () => {
    const f = await makeFixture({ quotas: { keyVersions: 3 } });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, { rotation: { periodSeconds: 60, auto: true } });
    await rotateKey(op, { keyId });
    const last = { ...op, idempotency: { key: 'k', fingerprint: new Uint8Array(32) } };
    await rotateKey(last, { keyId });
    await expect(rotateKey(op, { keyId })).rejects.toMatchObject(refusal('keyVersions', 3));
    await expect(upgradeKey(op, { keyId })).rejects.toMatchObject(refusal('keyVersions', 3));
    expect(await rotateKey(last, { keyId })).toMatchObject({ currentVersion: 3 });
    f.advance(61_000);
    const { rotated, failed } = await runDueWork({ kms: f.kms, caller: f.admin }, new AbortController().signal);
    expect(rotated).toBe(0);
    expect(failed).toMatchObject([{ key: { keyId }, error: refusal('keyVersions', 3) }]);
    await setLimits(f, { keyVersions: 4 });
    expect(await rotateKey(op, { keyId })).toMatchObject({ currentVersion: 4 });
    await expect(rotateKey(op, { keyId })).rejects.toMatchObject(refusal('keyVersions', 4));
  });

  test('whose last version is spent says so, and not that it may have no other', async () => {
    const f = await makeFixture({ quotas: { keyVersions: 1 }, messageBudget: 1 });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, {
      algorithm: resolveAlgorithm('aes-128-gcm'),
      rotation: { periodSeconds: 3600, auto: true },
    });
    const use = async () => encrypt(op, { keyId, plaintext: Buffer.from('m') });
    await use();
    await expect(use()).rejects.toMatchObject({ code: 'KEY_USAGE_EXCEEDED' });
    expect(await getKey(op, { keyId })).toMatchObject({ currentVersion: 1 });
  });
});

describe('answers under idempotency keys', () => {
  const keyed = (key: string) => ({ key, fingerprint: Buffer.alloc(32, key) });
  const make = (f: Fixture, key: string, caller = f.admin) =>
    once(keyed(key), { kms: f.kms, caller }, 'createKey', (op) => createKey(op, {}));
  const full = (maximum: number, used = maximum) => ({
    code: 'TOO_MANY_REQUESTS',
    message: expect.stringContaining(`${used}`),
    details: { limit: 'keptAnswers', maximum, used },
    retryAfterSeconds: expect.any(Number),
  });

  test('are kept of a tenant as many as may be, told again all the same, and make room when they expire', async () => {
    const f = await makeFixture({ quotas: { keptAnswers: 2 } });
    const { keyId } = await make(f, 'a');
    await make(f, 'b');
    await expect(make(f, 'c')).rejects.toMatchObject(full(2));
    expect(await make(f, 'a')).toMatchObject({ keyId });
    const usage = () => tenantUsage({ kms: f.kms, caller: f.admin }, { tenantId: f.tenantId });
    expect(await usage()).toMatchObject({ keptAnswers: { used: 2, maximum: 2 }, keys: { used: 2 } });
    const { tenantId } = await createTenant({ kms: f.kms, caller: operator }, { name: 'other' });
    await make(f, 'c', callerOf(tenantId, 'tenant_admin'));
    f.advance(24 * 60 * 60 * 1000 + 1);
    expect(await usage()).toMatchObject({ keptAnswers: { used: 0, maximum: 2 } });
    await make(f, 'c');
  });

  test('are as many as the platform says, from the moment in which it says so, and any number of its own', async () => {
    const f = await makeFixture({ quotas: { keptAnswers: 1 } });
    const set = (keptAnswers: number | null) =>
      once(keyed(`set ${keptAnswers}`), { kms: f.kms, caller: operator }, 'updateTenant', (op) =>
        updateTenant(op, { tenantId: f.tenantId, limits: { keptAnswers } }),
      );
    await make(f, 'a');
    await expect(make(f, 'b')).rejects.toMatchObject(full(1));
    expect(await set(2)).toMatchObject({ limits: { keptAnswers: 2, keys: null } });
    await make(f, 'b');
    await expect(make(f, 'c')).rejects.toMatchObject(full(2));
    await set(0);
    await make(f, 'c');
    await set(null);
    await expect(make(f, 'd')).rejects.toMatchObject(full(1, 3));
  });

  test('are not needed to take something away: that is done without its answer being kept', async () => {
    const f = await makeFixture({ quotas: { keptAnswers: 1 } });
    const op = { kms: f.kms, caller: f.admin };
    const { tokenId } = await createApiToken(op, TOKEN);
    const { keyId } = await createKey(op, {});
    const binding = await createIdentityBinding(op, BINDING);
    await make(f, 'a');
    const end = <T>(name: OperationName, work: (op: Operation) => Promise<T>) => once(keyed(name), op, name, work);
    for (let time = 0; time < 2; time += 1) {
      await end('revokeToken', (held) => revokeApiToken(held, { tokenId }));
      await end('suspendKey', (held) => suspendKey(held, { keyId }));
      await end('denyIdentity', (held) => denyIdentity(held, { issuer: BINDING.issuer, sub: 'orders' }));
    }
    await end('deleteIdentityBinding', (held) => deleteIdentityBinding(held, binding));
    await end('revokeKey', (held) => revokeKey(held, { keyId, reason: 'suspected_compromise' }));
    await end('destroyKey', (held) => destroyKey(held, { keyId }));
    await end('shredKey', (held) => shredKey(held, { keyId, confirmation: `SHRED-${keyId}` }));
    expect(await getKey(op, { keyId })).toMatchObject({ state: 'destroyed' });
    await expect(end('rotateKey', (held) => rotateKey(held, { keyId }))).rejects.toMatchObject(full(1));
  });

  test('of calls that their limit of rates refuses are not tried again', async () => {
    const f = await makeFixture({ quotas: { keptAnswers: 1 } });
    const refused = new KmsError('TOO_MANY_REQUESTS', 'Too many.', { details: { limit: 5 } });
    let times = 0;
    const work = () => {
      times += 1;
      return Promise.reject(refused);
    };
    await expect(once(keyed('k'), { kms: f.kms, caller: f.admin }, 'revokeToken', work)).rejects.toBe(refused);
    expect(times).toBe(1);
  });
});
