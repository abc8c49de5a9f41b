import { randomBytes, randomUUID } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type AuditEvent,
  CALLERS_OPERATIONS,
  type Caller,
  type CredentialVerifier,
  type EvidenceTrail,
  KmsError,
  localCaller,
  OPERATIONS,
  type OpenedKms,
  openKms,
  type OpenKmsOptions,
  OWN_OPERATIONS,
  RefusedCredential,
  softwareRoot,
  Storage,
  SYSTEM_TENANT,
} from '../src/exports/internal.ts';
import { type InMemoryStorage, inMemoryStorage } from '../src/testing/in-memory-storage.ts';
import { MapCache } from '../src/testing/map-cache.ts';

const opened: OpenedKms[] = [];
afterEach(async () => {
  for (const kms of opened.splice(0)) await kms.close();
});

async function open(options: Partial<OpenKmsOptions> = {}): Promise<OpenedKms> {
  const kms = await openKms({
    storage: inMemoryStorage(),
    roots: softwareRoot('software', randomBytes(32)),
    alert: () => undefined,
    ...options,
  });
  opened.push(kms);
  return kms;
}

/** A tenant, and a caller who administers it. */
async function tenantOf(kms: OpenedKms): Promise<Caller> {
  const platform = localCaller({ tenantId: SYSTEM_TENANT, subject: 'setup', role: 'platform_admin' });
  const { tenantId } = await kms.as(platform).createTenant({ name: 'test' });
  return localCaller({ tenantId, subject: 'alice', role: 'tenant_admin', ip: '192.0.2.1' });
}

const plaintext = Buffer.from('attack at dawn');

test('the door has a method for every operation that somebody needs a permission for', () => {
  const needed = Object.entries(OPERATIONS).flatMap(([name, { permission }]) => (permission === null ? [] : [name]));
  expect(Object.keys(CALLERS_OPERATIONS).toSorted()).toEqual(needed.toSorted());
});

test('what the KMS does by itself is not among the operations of callers', () => {
  for (const name of Object.keys(OWN_OPERATIONS)) {
    expect(OPERATIONS).toHaveProperty([name, 'permission'], null);
    expect(CALLERS_OPERATIONS).not.toHaveProperty(name);
  }
});

test('an operation is a method of the caller, whose permissions it asks', async () => {
  const kms = await open();
  const caller = await tenantOf(kms);
  const { keyId } = await kms.as(caller).createKey({ name: 'orders' });
  const { ciphertext } = await kms.as(caller).encrypt({ keyId, plaintext });
  expect(await kms.as(caller).decrypt({ ciphertext })).toMatchObject({ plaintext });
  expect((await kms.as(caller).listKeys()).items).toMatchObject([{ keyId }]);
  const auditor = localCaller({ tenantId: caller.tenantId, subject: 'bob', role: 'auditor' });
  await expect(kms.as(auditor).encrypt({ keyId, plaintext })).rejects.toMatchObject({ code: 'FORBIDDEN' });
});

test('in FIPS mode the provider has to be there, even where what is not approved may be read', async () => {
  for (const legacyRead of [true, false])
    await expect(open({ requireFips: true, legacyRead })).rejects.toMatchObject({
      code: 'SEALED',
      message: expect.stringContaining(legacyRead ? 'no FIPS provider is loaded in this process' : 'not in FIPS mode'),
    });
});

test('the tenant of a name is made once, by whichever of several processes comes first', async () => {
  const storage = inMemoryStorage();
  const roots = softwareRoot('software', randomBytes(32));
  const [kms, other] = [await open({ storage, roots }), await open({ storage, roots })];
  const [one, two] = await Promise.all([kms.ensureTenant('orders'), other.ensureTenant('orders')]);
  expect(two).toBe(one);
  expect(await kms.ensureTenant('orders')).toBe(one);
  const owner = localCaller({ tenantId: one, subject: 'alice', role: 'tenant_admin' });
  await kms.as(owner).shredTenant({ tenantId: one, confirmation: `SHRED-${one}`, reason: 'test' });
  expect(await kms.ensureTenant('orders')).not.toBe(one);
});

describe('the storage', () => {
  test('is one object: a copy with the feed of another store is refused, by the compiler too', async () => {
    const [storage, other] = [inMemoryStorage(), inMemoryStorage()];
    // oxlint-disable-next-line typescript/no-misused-spread
    const mixed = { ...storage, changes: other.changes };
    // @ts-expect-error a part was exchanged
    const asStorage: Storage = mixed;
    await expect(open({ storage: asStorage })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('is closed with the KMS, and when opening it fails', async () => {
    const storage = inMemoryStorage();
    const closed: string[] = [];
    const { store, changes, evidence } = storage;
    const watched = (name: string) => ({
      storage: new Storage({ store, changes, evidence, close: async () => void closed.push(name) }),
    });
    const kms = await open(watched('first'));
    await kms.close();
    await kms.close();
    expect(closed).toEqual(['first']);
    await expect(open({ ...watched('second'), roots: [] })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(closed).toEqual(['first', 'second']);
  });

  test('is not opened with the root of another one, and the refusal says so', async () => {
    const storage = inMemoryStorage();
    await open({ storage });
    const stranger = softwareRoot('software', randomBytes(32));
    await expect(open({ storage, roots: stranger })).rejects.toMatchObject({
      code: 'SEALED',
      message: expect.stringContaining('software'),
    });
  });
});

describe('evidence', () => {
  /** A trail that notes what it is given. */
  function noted(): { readonly events: AuditEvent[]; readonly trail: EvidenceTrail; fail: boolean } {
    const events: AuditEvent[] = [];
    const state = {
      events,
      fail: false,
      trail: {
        requireRoom: () => undefined,
        record: async (event: AuditEvent) => {
          if (state.fail) throw new KmsError('AUDIT_UNAVAILABLE', 'full');
          events.push(event);
        },
      },
    };
    return state;
  }

  async function openNoting() {
    const state = noted();
    const storage: InMemoryStorage = inMemoryStorage();
    const kms = await open({ storage, evidence: () => ({ trail: state.trail, close: async () => undefined }) });
    return { kms, storage, state, caller: await tenantOf(kms) };
  }

  test('is left by every call by itself, with who called and for which request', async () => {
    const { kms, state, caller } = await openNoting();
    const { keyId } = await kms.as(caller).createKey({});
    const alice = kms.as(caller, { requestId: 'r-1', source: 'orders', userAgent: 'test/1' });
    const both = await Promise.all([
      alice.encrypt({ keyId, plaintext, context: { order: '7' } }),
      alice.getRandom({ bytes: 16 }),
    ]);
    expect(both).toHaveLength(2);
    const common = {
      tenantId: caller.tenantId,
      actor: { id: 'alice', type: 'service' },
      context: { requestId: 'r-1', source: 'orders', userAgent: 'test/1', ip: '192.0.2.1' },
      result: 'success',
    };
    const byAction = Object.fromEntries(state.events.map((event) => [event.action, event]));
    expect(byAction['encrypt']).toMatchObject({
      ...common,
      eventType: OPERATIONS.encrypt.event,
      resource: { type: 'key', id: keyId, version: 1 },
      request: { contextKeys: ['order'] },
    });
    expect(byAction['getRandom']).toMatchObject({ ...common, resource: { type: 'service', id: null } });
  });

  test('calls who has a credential of an issuer a workload, when it is refused as well', async () => {
    const state = noted();
    const owner = { subject: 'https://issuer.example#orders', tenantId: randomUUID(), credential: 'jwt' } as const;
    const identity = {
      ...owner,
      permissions: new Set(['kms:random'] as const),
      attributes: { mfa: false },
      keys: null,
    };
    const verifier: CredentialVerifier = {
      verify: ({ bearer }) => {
        if (bearer === 'ended') throw new RefusedCredential(owner);
        return bearer === 'sound' ? identity : undefined;
      },
    };
    const evidence = () => ({ trail: state.trail, close: async () => undefined });
    const kms = await open({ evidence, verifiers: [verifier] });
    await kms.as(await kms.authenticate({ bearer: 'sound' })).getRandom({ bytes: 1 });
    await expect(kms.authenticate({ bearer: 'ended' })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    const actor = { type: 'workload', id: owner.subject };
    expect(state.events).toMatchObject([
      { actor, result: 'success' },
      { actor, result: 'denied' },
    ]);
  });

  test('is written before the answer is given: without it there is none', async () => {
    const { kms, state, caller } = await openNoting();
    const { keyId } = await kms.as(caller).createKey({});
    state.fail = true;
    await expect(kms.as(caller).encrypt({ keyId, plaintext })).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  });

  test('of a change is in the unit of work of the change', async () => {
    const { kms, state, storage, caller } = await openNoting();
    await kms.as(caller, { requestId: 'r-2' }).createKey({});
    expect(state.events).toEqual([]);
    const { event } = OPERATIONS.createKey;
    const made = storage.store.evidence().filter(({ eventType }) => eventType === event);
    expect(made).toMatchObject([{ actor: { id: 'alice' }, context: { requestId: 'r-2' } }]);
  });

  test('names what was denied and what failed', async () => {
    const { kms, state, caller } = await openNoting();
    const auditor = localCaller({ tenantId: caller.tenantId, subject: 'bob', role: 'auditor' });
    await expect(kms.as(auditor).getRandom({ bytes: 16 })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(kms.as(caller).getRandom({ bytes: 0 })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(state.events.map(({ result, errorCode }) => [result, errorCode])).toEqual([
      ['denied', 'FORBIDDEN'],
      ['failure', 'BAD_REQUEST'],
    ]);
  });

  test('says when it begins to be kept and when it ends', async () => {
    const storage = inMemoryStorage();
    const roots = softwareRoot('software', randomBytes(32));
    const evidence: OpenKmsOptions['evidence'] = () => ({ trail: noted().trail, close: async () => undefined });
    await open({ storage, roots, evidence });
    await open({ storage, roots, evidence });
    await open({ storage, roots });
    expect(storage.store.evidence().map(({ eventType }) => eventType)).toEqual([
      'kms.audit.enabled',
      'kms.audit.disabled',
    ]);
  });

  test('is left by a token that is known and was refused, once in a while', async () => {
    const { kms, state, caller } = await openNoting();
    const { token, tokenId } = await kms.as(caller).createToken({ name: 'short', role: 'key_user' });
    await kms.as(caller).revokeToken({ tokenId });
    for (const ip of ['192.0.2.7', '192.0.2.8'])
      await expect(kms.authenticate({ bearer: token }, { ip })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(state.events).toMatchObject([
      { result: 'denied', actor: { id: tokenId }, context: { ip: '192.0.2.7' }, tenantId: caller.tenantId },
    ]);
  });
});

describe('idempotency', () => {
  test('a change is made once under a key, and another call under it is refused', async () => {
    const kms = await open();
    const caller = await tenantOf(kms);
    const once = kms.as(caller, { idempotencyKey: 'k-1' });
    const first = await once.createKey({ name: 'a' });
    expect(await once.createKey({ name: 'a' })).toEqual(first);
    expect((await kms.as(caller).listKeys()).items).toHaveLength(1);
    await expect(once.createKey({ name: 'b' })).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
  });

  test('bytes and dates of the input count', async () => {
    const kms = await open();
    const caller = await tenantOf(kms);
    const once = kms.as(caller, { idempotencyKey: 'k-2' });
    const expiresAt = (day: number) =>
      ({ name: 't', role: 'auditor', expiresAt: new Date(Date.UTC(2100, 0, day)) }) as const;
    await once.createToken(expiresAt(1));
    await expect(once.createToken(expiresAt(2))).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
  });
});

describe('credentials', () => {
  test('a token becomes its caller, for its own tenant only', async () => {
    const kms = await open({ cache: () => ({ keys: new MapCache(), tokens: new MapCache() }) });
    const admin = await tenantOf(kms);
    const { token, tokenId } = await kms.as(admin).createToken({ name: 'app', role: 'key_user' });
    const caller = await kms.authenticate({ bearer: token }, { ip: '192.0.2.9' });
    expect(caller).toMatchObject({ tenantId: admin.tenantId, subject: tokenId, attributes: { ip: '192.0.2.9' } });
    await expect(kms.authenticate({ bearer: token }, { tenantId: randomUUID() })).rejects.toMatchObject({
      code: 'TENANT_MISMATCH',
    });
    await expect(kms.authenticate({ bearer: 'qnsp_pqc_unknown' })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(kms.authenticate({})).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('a credential of the platform acts for the tenant that is named', async () => {
    const kms = await open();
    const { tenantId } = await tenantOf(kms);
    const token = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
    await kms.own.installPlatformToken(token);
    expect(await kms.authenticate({ bearer: token }, { tenantId })).toMatchObject({ tenantId });
    expect(await kms.authenticate({ bearer: token })).toMatchObject({ tenantId: SYSTEM_TENANT });
  });
});

test('scheduled work is done, and says what it did', async () => {
  let offset = 0;
  const storage = inMemoryStorage({ now: () => new Date(Date.now() + offset) });
  const reports: unknown[] = [];
  const kms = await open({ storage, schedule: { intervalMs: 5, report: (report) => reports.push(report) } });
  const caller = await tenantOf(kms);
  const { keyId } = await kms.as(caller).createKey({ rotation: { auto: true, periodSeconds: 30 * 24 * 60 * 60 } });
  offset = 31 * 24 * 60 * 60 * 1000;
  await expect.poll(() => reports).toContainEqual({ kind: 'done', rotated: 1, destroyed: 0 });
  expect(await kms.as(caller).getKey({ keyId })).toMatchObject({ currentVersion: 2 });
});

test('the end waits for the calls that run, and no other begins', async () => {
  const gate = Promise.withResolvers<void>();
  let isHeld = false;
  const random = async (bytes: number) => {
    if (isHeld) await gate.promise;
    return randomBytes(bytes);
  };
  const kms = await open({ random });
  const caller = await tenantOf(kms);
  isHeld = true;
  const running = kms.as(caller).createKey({});
  let hasEnded = false;
  const closing = kms.close().then(() => (hasEnded = true));
  await expect(kms.as(caller).listKeys()).rejects.toMatchObject({ code: 'SEALED' });
  await expect(kms.own.installPlatformToken(undefined)).rejects.toMatchObject({ code: 'SEALED' });
  expect(hasEnded).toBe(false);
  gate.resolve();
  await expect(running).resolves.toMatchObject({ state: 'active' });
  await closing;
});
