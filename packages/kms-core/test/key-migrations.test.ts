import { describe, expect, test } from 'vitest';
import {
  type Caller,
  cancelMigration,
  createKey,
  type CreateMigrationInput,
  createMigration,
  decrypt,
  encrypt,
  getKey,
  getMigration,
  type Kms,
  listMigrations,
  type MigrationPlan,
  firstPass,
  KmsError,
  newId,
  operationOfService,
  putKeyPolicy,
  resolveAlgorithm,
  runMigrations,
  shredTenant,
  sign,
  suspendKey,
  verify,
} from '../src/exports/internal.ts';
import { MigrationAuthority } from '../src/hierarchy/migration-authority.ts';
import { SYSTEM_TENANT } from '../src/model/identifiers.ts';
import { softwareResidentKeys } from '../src/testing/software-resident-keys.ts';
import { SYSTEM } from '../src/testing/index.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';
import { over } from './mutants/wrappers.ts';
import { SealedEvidence } from './sealed-evidence.ts';

const DATA = new TextEncoder().encode('data');
const LEASE_MS = 30_000;
const PASSES_APART_MS = 60_000;

const never = () => new AbortController().signal;
const run = (kms: Kms, holder = 'one', signal = never()) =>
  runMigrations(operationOfService(kms, 'runMigrations'), { holder }, signal);

function create(f: Fixture, algorithm: string, settings: object = {}): Promise<string> {
  const made = createKey({ kms: f.kms, caller: f.admin }, { algorithm: resolveAlgorithm(algorithm), ...settings });
  return made.then(({ keyId }) => keyId);
}

async function start(f: Fixture, input: Partial<CreateMigrationInput> = {}, caller: Caller = f.admin) {
  const { migration } = await createMigration({ kms: f.kms, caller }, { target: 'quantum-safe', ...input });
  if (migration === null) throw new Error('it was no dry run');
  return migration;
}

async function plan(
  f: Fixture,
  input: Partial<CreateMigrationInput> = {},
  limit = 200,
): Promise<MigrationPlan['items']> {
  const items = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = { dryRun: true, limit, ...(cursor === undefined ? {} : { cursor }) };
    const answer = await createMigration(
      { kms: f.kms, caller: f.admin },
      { target: 'quantum-safe', ...input, ...page },
    );
    expect(answer.migration).toBeNull();
    items.push(...(answer.plan?.items ?? []));
    cursor = answer.plan?.nextCursor ?? null;
  }
  return items;
}

const status = (f: Fixture, migrationId: string) => getMigration({ kms: f.kms, caller: f.admin }, { migrationId });
const read = (f: Fixture, keyId: string) => getKey({ kms: f.kms, caller: f.admin }, { keyId });

describe('a migration to quantum-safe algorithms', () => {
  test('gives each classical key one version more, of which the earlier ones still read', async () => {
    const f = await makeFixture();
    const signing = await create(f, 'Ed25519');
    const encrypting = await create(f, 'RSA-2048', { purpose: 'encryption' });
    const weak = await create(f, 'AES-128-GCM');
    const safe = await create(f, 'AES-256-GCM');
    const op = { kms: f.kms, caller: f.admin };
    const { signature } = await sign(op, { keyId: signing, data: DATA });
    const { ciphertext } = await encrypt(op, { keyId: encrypting, plaintext: DATA });
    const { migrationId, state, keys } = await start(f);
    expect({ state, keys }).toEqual({
      state: 'running',
      keys: { total: 4, examined: 0, upgraded: 0, unchanged: 0, waiting: 0, refused: {} },
    });
    const report = await run(f.kms);
    expect(report).toEqual({ upgraded: 3, completed: [{ tenantId: f.tenantId, migrationId }], keys: [], failed: [] });
    expect(await status(f, migrationId)).toMatchObject({
      state: 'completed',
      endedAt: expect.any(String),
      keys: { total: 4, examined: 4, upgraded: 3, unchanged: 1, waiting: 0, refused: {} },
    });
    const algorithms = await Promise.all([signing, encrypting, weak, safe].map((keyId) => read(f, keyId)));
    expect(algorithms.map(({ algorithm, currentVersion }) => [algorithm, currentVersion])).toEqual([
      ['dilithium-3', 2],
      ['kyber-768', 2],
      ['aes-256-gcm', 2],
      ['aes-256-gcm', 1],
    ]);
    expect(await verify(op, { keyId: signing, data: DATA, signature })).toMatchObject({ valid: true });
    expect(Buffer.from((await decrypt(op, { ciphertext })).plaintext)).toEqual(Buffer.from(DATA));
  });

  test('says before what it will do, page by page, and does that', async () => {
    const f = await makeFixture({ quotas: { keyVersions: 1 } });
    const full = await create(f, 'Ed25519');
    const agreement = await create(f, 'X25519');
    const suspended = await create(f, 'ECDSA-P256');
    const denied = await create(f, 'ECDSA-P256');
    const safe = await create(f, 'ML-DSA-65');
    const op = { kms: f.kms, caller: f.admin };
    await suspendKey(op, { keyId: suspended });
    await putKeyPolicy(op, {
      keyId: denied,
      policy: { version: '1', statements: [{ effect: 'deny', actions: ['kms:keys:rotate'], resources: ['*'] }] },
    });
    const planned = await plan(f, {}, 2);
    expect(planned.map(({ keyId, action, target, refusal }) => [keyId, action, target, refusal])).toEqual([
      [safe, 'none', null, null],
      [denied, 'refuse', null, 'policy'],
      [suspended, 'refuse', null, 'state'],
      [agreement, 'refuse', null, 'no-successor'],
      [full, 'refuse', null, 'quota'],
    ]);
    const { migrationId } = await start(f);
    expect(await run(f.kms)).toMatchObject({ upgraded: 0 });
    expect(await status(f, migrationId)).toMatchObject({
      keys: { examined: 5, unchanged: 1, refused: { policy: 1, state: 1, 'no-successor': 1, quota: 1 } },
    });
  });

  test('leaves an event for each key that names it, and one for its start, its plan and its end', async () => {
    const f = await makeFixture();
    const trail = { requireRoom: () => undefined, record: async () => undefined };
    const kms = { ...f.kms, evidence: { trail, store: new SealedEvidence() } };
    const keyId = await create(f, 'Ed25519');
    const { migrationId } = await start(f);
    await run(kms);
    expect(f.store.evidence()).toMatchObject([
      {
        eventType: 'kms.key.upgraded',
        action: 'upgradeKey',
        resource: { id: keyId, version: 2 },
        changes: { after: { reason: `migration ${migrationId}` } },
      },
      {
        eventType: 'kms.migration.completed',
        action: 'runMigrations',
        changes: { after: { migrationId, upgraded: 1, refused: [] } },
      },
    ]);
  });
});

describe('a migration to one algorithm', () => {
  test('takes only what is selected, and what the algorithm can do', async () => {
    const f = await makeFixture();
    const [first, second] = [await create(f, 'ML-DSA-65', { name: 'a' }), await create(f, 'Ed25519', { name: 'b' })];
    const other = await create(f, 'AES-256-GCM');
    const target = resolveAlgorithm('ML-DSA-87');
    const planned = await plan(f, { target });
    expect(new Map(planned.map(({ keyId, action, refusal }) => [keyId, [action, refusal]]))).toEqual(
      new Map([
        [first, ['upgrade', null]],
        [second, ['upgrade', null]],
        [other, ['refuse', 'purpose']],
      ]),
    );
    const selectors: [CreateMigrationInput['selector'], string[]][] = [
      [{ name: 'a' }, [first]],
      [{ algorithm: resolveAlgorithm('Ed25519') }, [second]],
      [{ purpose: 'encryption' }, [other]],
      [{ protectionLevel: 'hsm' }, []],
      [{ keyIds: [other, second] }, [other, second]],
    ];
    for (const [selector = {}, found] of selectors)
      expect((await plan(f, { target, selector })).map(({ keyId }) => keyId).sort()).toEqual(found.toSorted());
    const { migrationId } = await start(f, { target, selector: { name: 'a' } });
    await run(f.kms);
    expect((await read(f, first)).algorithm).toBe('dilithium-5');
    expect((await read(f, second)).algorithm).toBe('ed25519');
    expect(await status(f, migrationId)).toMatchObject({ keys: { examined: 3, upgraded: 1, unchanged: 2 } });
  });

  test('retires no version, however few the key retains', async () => {
    const f = await makeFixture();
    const keyId = await create(f, 'Ed25519', { rotation: { retainVersions: 1 } });
    const signed = await sign({ kms: f.kms, caller: f.admin }, { keyId, data: DATA });
    await start(f);
    await run(f.kms);
    const { algorithm, versions } = await read(f, keyId);
    expect([algorithm, versions.map(({ state }) => state)]).toEqual(['dilithium-3', ['decrypt-only', 'active']]);
    const old = { keyId, data: DATA, signature: signed.signature, keyVersion: 1 };
    expect((await verify({ kms: f.kms, caller: f.admin }, old)).valid).toBe(true);
  });

  test('takes nothing to an algorithm that a quantum computer breaks from one that it does not', async () => {
    const f = await makeFixture();
    await create(f, 'ML-DSA-65');
    await create(f, 'ECDSA-P256');
    const found = await plan(f, { target: resolveAlgorithm('ECDSA-P384') });
    expect(found.map(({ action, refusal }) => `${action} ${refusal}`).sort()).toEqual([
      'refuse weaker',
      'upgrade null',
    ]);
  });

  test('is refused in FIPS mode for one that is not approved', async () => {
    const f = await makeFixture({ requireFips: true });
    const target = resolveAlgorithm('ChaCha20-Poly1305');
    await expect(start(f, { target })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});

describe('a migration that is interrupted', () => {
  test('goes on where it was, and gives no key two versions', async () => {
    const f = await makeFixture();
    const keyIds: string[] = [];
    for (let count = 0; count < 12; count += 1) keyIds.push(await create(f, 'Ed25519'));
    const { migrationId } = await start(f);
    for (let upgraded = 0; upgraded < 12; ) {
      const stopping = new AbortController();
      // Ends a run as soon as one more key has its version.
      const stop = f.store.changes.subscribe(({ kind }) => {
        if (kind === 'key') stopping.abort();
      });
      const report = await run(await f.restarted(), newId(), stopping.signal);
      stop();
      expect(report.upgraded).toBeGreaterThan(0);
      upgraded += report.upgraded;
      expect((await status(f, migrationId)).keys.upgraded).toBe(upgraded);
    }
    await run(f.kms);
    expect(await status(f, migrationId)).toMatchObject({ state: 'completed', keys: { examined: 12, upgraded: 12 } });
    for (const keyId of keyIds) expect((await read(f, keyId)).versions).toHaveLength(2);
  });

  test('by the end of its process is taken over when its lease has run out, and not before', async () => {
    const f = await makeFixture({ frozenClock: true });
    await create(f, 'Ed25519');
    const { migrationId } = await start(f);
    await f.store.transact(SYSTEM, async (unit) => {
      const authority = new MigrationAuthority(await f.kms.hierarchy.masterKeys(SYSTEM_TENANT));
      const [record] = await unit.migrations.lockDue(1, []);
      if (record === undefined) throw new Error('it is due');
      const dueAt = new Date(unit.now.getTime() + LEASE_MS);
      await unit.migrations.update(authority.sign({ ...record, holder: 'gone', dueAt, revision: 2 }));
    });
    expect(await run(f.kms)).toMatchObject({ upgraded: 0, completed: [] });
    f.advance(LEASE_MS - 1);
    expect(await run(f.kms)).toMatchObject({ upgraded: 0, completed: [] });
    f.advance(1);
    expect(await run(f.kms)).toMatchObject({ upgraded: 1, completed: [{ migrationId }] });
  });

  test('right after a key was changed has counted it', async () => {
    const f = await makeFixture({ frozenClock: true });
    for (let count = 0; count < 3; count += 1) await create(f, 'Ed25519');
    const { migrationId } = await start(f);
    let isGone = false;
    const stop = f.store.changes.subscribe(({ kind }) => {
      isGone ||= kind === 'key';
    });
    const transact: Kms['store']['transact'] = async (scope, work) => {
      if (isGone) throw new KmsError('STORE_UNAVAILABLE', 'The process was killed.');
      return f.kms.store.transact(scope, work);
    };
    await expect(run({ ...f.kms, store: over(f.kms.store, { transact }) }, 'killed')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    stop();
    expect(await status(f, migrationId)).toMatchObject({ state: 'running', keys: { examined: 1, upgraded: 1 } });
    f.advance(LEASE_MS);
    expect(await run(f.kms)).toMatchObject({ upgraded: 2 });
    expect(await status(f, migrationId)).toMatchObject({ keys: { examined: 3, upgraded: 3, unchanged: 0 } });
  });

  test('and taken over changes nothing more where it was halted', async () => {
    const f = await makeFixture();
    const keyId = await create(f, 'Ed25519');
    const { migrationId } = await start(f);
    const authority = new MigrationAuthority(await f.kms.hierarchy.masterKeys(SYSTEM_TENANT));
    const takeOver = () =>
      f.store.transact(SYSTEM, async (unit) => {
        const record = await unit.migrations.get(migrationId, { lock: true });
        if (record === undefined) throw new Error('it is there');
        const taken = { ...record, holder: 'another', dueAt: new Date(Date.now() + LEASE_MS) };
        await unit.migrations.update(authority.sign({ ...taken, revision: record.revision + 1 }));
      });
    const jobs: Kms['jobs'] = {
      counts: () => f.kms.jobs.counts(),
      run: async (job, work) => {
        await takeOver();
        return f.kms.jobs.run(job, work);
      },
    };
    expect(await run({ ...f.kms, jobs })).toEqual({ upgraded: 0, completed: [], keys: [], failed: [] });
    expect((await read(f, keyId)).algorithm).toBe('ed25519');
    const stored = await f.store.transact(SYSTEM, (unit) => unit.migrations.get(migrationId));
    expect(stored).toMatchObject({ holder: 'another', state: 'running', progress: { examined: 0, upgraded: 0 } });
  });

  test('is worked on by several nodes, of which one at a time holds it', async () => {
    const f = await makeFixture();
    const keyIds: string[] = [];
    for (let count = 0; count < 25; count += 1) keyIds.push(await create(f, 'AES-128-GCM'));
    await start(f);
    const nodes = [f.kms, await f.restarted(), await f.restarted()];
    const reports = await Promise.all(nodes.map((kms, index) => run(kms, `node ${index}`)));
    const failed = reports.flatMap((report) => [...report.failed, ...report.keys]);
    expect({ failed, upgraded: reports.reduce((sum, { upgraded }) => sum + upgraded, 0) }).toEqual({
      failed: [],
      upgraded: 25,
    });
    for (const keyId of keyIds) expect((await read(f, keyId)).versions).toHaveLength(2);
  });

  test('by who cancels it changes no further key', async () => {
    const f = await makeFixture();
    for (let count = 0; count < 3; count += 1) await create(f, 'Ed25519');
    const { migrationId } = await start(f);
    let cancelling: Promise<unknown> | undefined;
    const stop = f.store.changes.subscribe(({ kind }) => {
      if (kind === 'key') cancelling ??= cancelMigration({ kms: f.kms, caller: f.admin }, { migrationId });
    });
    expect(await run(f.kms)).toMatchObject({ keys: [], failed: [] });
    stop();
    await cancelling;
    const { state, keys } = await status(f, migrationId);
    expect(state).toBe('cancelled');
    expect(keys.upgraded).toBeLessThan(3);
    expect(await run(f.kms)).toMatchObject({ upgraded: 0 });
    const again = await cancelMigration({ kms: f.kms, caller: f.admin }, { migrationId });
    expect(again).toEqual(await status(f, migrationId));
  });

  test('by the end of its tenant is nobody’s failure', async () => {
    const f = await makeFixture();
    await create(f, 'Ed25519');
    await start(f);
    const { tenantId } = f;
    await shredTenant({ kms: f.kms, caller: f.admin }, { tenantId, confirmation: `SHRED-${tenantId}`, reason: 'test' });
    expect(await run(f.kms)).toEqual({ upgraded: 0, completed: [], keys: [], failed: [] });
  });
});

describe('who migrates', () => {
  test('needs the permission for it and the one to rotate, for all keys', async () => {
    const f = await makeFixture();
    const lacking: Caller[] = [
      callerOf(f.tenantId, 'key_user'),
      callerOf(f.tenantId, null, ['kms:keys:migrate', 'kms:keys:read']),
      callerOf(f.tenantId, null, ['kms:keys:rotate', 'kms:keys:read']),
      { ...f.admin, keys: new Set([newId()]) },
    ];
    for (const caller of lacking) await expect(start(f, {}, caller)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { migrationId } = await start(f, {}, callerOf(f.tenantId, 'key_admin'));
    const cancelling = cancelMigration({ kms: f.kms, caller: callerOf(f.tenantId, 'auditor') }, { migrationId });
    await expect(cancelling).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('starts one at a time in a tenant, and a repeated call starts no second one', async () => {
    const f = await makeFixture();
    await create(f, 'Ed25519');
    const idempotency = { key: 'once', fingerprint: Buffer.alloc(32, 1) };
    const begin = () => createMigration({ kms: f.kms, caller: f.admin, idempotency }, { target: 'quantum-safe' });
    const first = await begin();
    expect(await begin()).toEqual(first);
    await expect(start(f)).rejects.toMatchObject({ code: 'CONFLICT' });
    await run(f.kms);
    const second = await start(f);
    const { items } = await listMigrations({ kms: f.kms, caller: f.admin }, {});
    expect(items.map(({ migrationId }) => migrationId)).toEqual([second.migrationId, first.migration?.migrationId]);
  });

  test('is asked of the policy of each key when its turn comes, as who they were at the start', async () => {
    const f = await makeFixture();
    const [free, guarded] = [await create(f, 'Ed25519'), await create(f, 'Ed25519')];
    const starter = callerOf(f.tenantId, 'key_admin');
    const { migrationId, startedBy } = await start(f, {}, starter);
    expect(startedBy).toBe(starter.subject);
    const policy = {
      version: '1',
      statements: [{ effect: 'deny', actions: ['kms:keys:rotate'], resources: ['*'], principals: [starter.subject] }],
    } as const;
    await putKeyPolicy({ kms: f.kms, caller: f.admin }, { keyId: guarded, policy });
    await run(f.kms);
    expect(await status(f, migrationId)).toMatchObject({ keys: { upgraded: 1, refused: { policy: 1 } } });
    expect((await read(f, free)).algorithm).toBe('dilithium-3');
    expect((await read(f, guarded)).algorithm).toBe('ed25519');
  });

  test('sees no plan of keys that they may not read', async () => {
    const f = await makeFixture();
    const keyId = await create(f, 'Ed25519');
    const policy = {
      version: '1',
      statements: [{ effect: 'deny', actions: ['kms:keys:read'], resources: ['*'] }],
    } as const;
    await putKeyPolicy({ kms: f.kms, caller: f.admin }, { keyId, policy });
    expect(await plan(f)).toEqual([]);
  });
});

describe('a key in an HSM', () => {
  const target = resolveAlgorithm('ECDSA-P384');

  test('is not taken out of it', async () => {
    const f = await makeFixture({ resident: [softwareResidentKeys('hsm')] });
    const keyId = await create(f, 'ECDSA-P256', { protectionLevel: 'hsm' });
    expect((await plan(f)).map(({ action, refusal }) => [action, refusal])).toEqual([['refuse', 'hsm']]);
    const { migrationId } = await start(f);
    await run(f.kms);
    expect(await status(f, migrationId)).toMatchObject({ keys: { examined: 1, upgraded: 0, refused: { hsm: 1 } } });
    expect(await read(f, keyId)).toMatchObject({ algorithm: 'ecdsa-p256', protectionLevel: 'hsm' });
  });

  test('gets a version in it, and waits for it while it does not answer', async () => {
    const hsm = softwareResidentKeys('hsm');
    const f = await makeFixture({ resident: [hsm], frozenClock: true });
    const keyId = await create(f, 'ECDSA-P256', { protectionLevel: 'hsm' });
    const { migrationId } = await start(f, { target });
    hsm.goAway();
    await run(f.kms);
    expect(await status(f, migrationId)).toMatchObject({ state: 'running', keys: { upgraded: 0 } });
    hsm.comeBack();
    expect(await run(f.kms)).toMatchObject({ upgraded: 0, completed: [] });
    f.advance(PASSES_APART_MS);
    expect(await run(f.kms)).toMatchObject({ upgraded: 1, completed: [{ migrationId }] });
    expect(await read(f, keyId)).toMatchObject({ algorithm: 'ecdsa-p384', protectionLevel: 'hsm' });
  });

  test('that never answers is given up after ten passes', async () => {
    const hsm = softwareResidentKeys('hsm');
    const f = await makeFixture({ resident: [hsm], frozenClock: true });
    await create(f, 'ECDSA-P256', { protectionLevel: 'hsm' });
    hsm.goAway();
    const { migrationId } = await start(f, { target });
    for (let pass = 1; pass < 10; pass += 1) {
      await run(f.kms);
      expect(await status(f, migrationId)).toMatchObject({ state: 'running' });
      f.advance(PASSES_APART_MS);
    }
    await run(f.kms);
    expect(await status(f, migrationId)).toMatchObject({ state: 'completed', keys: { refused: { unavailable: 1 } } });
  });
});

test('what somebody wrote into the database is not acted on', async () => {
  const f = await makeFixture();
  const keyId = await create(f, 'Ed25519');
  const alerts: unknown[] = [];
  const kms = { ...f.kms, alert: (alert: unknown) => alerts.push(alert) };
  const authority = new MigrationAuthority(await f.kms.hierarchy.masterKeys(SYSTEM_TENANT));
  await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, async (unit) => {
    const { mac, ...record } = authority.sign({
      tenantId: f.tenantId,
      migrationId: newId(),
      state: 'running',
      createdAt: unit.now,
      endedAt: null,
      order: { selector: {}, target: 'quantum-safe', starter: { subject: 'x', ip: null, mfa: false } },
      progress: firstPass(1),
      holder: null,
      dueAt: unit.now,
      revision: 1,
    });
    await unit.migrations.insert({ ...record, order: { ...record.order, target: 'dilithium-5' }, mac });
  });
  expect(await run(kms)).toEqual({ upgraded: 0, completed: [], keys: [], failed: [] });
  expect((await read(f, keyId)).algorithm).toBe('ed25519');
  expect(alerts).toMatchObject([{ kind: 'record-forged' }]);
  const { items, warnings } = await listMigrations({ kms: f.kms, caller: f.admin }, {});
  expect([items, warnings]).toEqual([[], [expect.stringContaining('failed its integrity check')]]);
});

test('every field of a record is under its MAC', async () => {
  const f = await makeFixture();
  await create(f, 'Ed25519');
  const { migrationId } = await start(f);
  const authority = new MigrationAuthority(await f.kms.hierarchy.masterKeys(SYSTEM_TENANT));
  const record = await f.store.transact(SYSTEM, (unit) => unit.migrations.get(migrationId));
  if (record === undefined) throw new Error('it was stored');
  authority.verify(record);
  const changes = {
    tenantId: newId(),
    migrationId: newId(),
    state: 'cancelled',
    createdAt: new Date(0),
    endedAt: new Date(0),
    order: { ...record.order, target: 'dilithium-5' },
    progress: { ...record.progress, upgraded: 1 },
    holder: 'somebody',
    dueAt: new Date(0),
    revision: 9,
    mac: { ...record.mac, tag: Buffer.alloc(32) },
  } as const satisfies { readonly [Name in keyof typeof record]: unknown };
  for (const [name, value] of Object.entries(changes))
    expect(() => authority.verify({ ...record, [name]: value }), name).toThrow('integrity check');
});
