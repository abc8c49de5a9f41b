import { beforeEach, describe, expect, test } from 'vitest';
import {
  type AuditEvent,
  type ChangeRequest,
  createKey,
  destroyKey,
  encrypt,
  getKey,
  type Kms,
  type Operation,
  KmsError,
  newId,
  OperationEvidence,
  putKeyPolicy,
  reencrypt,
  restoreKey,
  resumeKey,
  revokeKey,
  rotateKey,
  runDueWork,
  type Caller,
  SERVICE_ITSELF,
  shredKey,
  suspendKey,
  upgradeKey,
  withEvidence,
  operationOfService,
} from '../src/exports/internal.ts';
import { inMemoryStore } from '../src/testing/in-memory-store.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';
import { SealedEvidence } from './sealed-evidence.ts';

const DATA = new TextEncoder().encode('data');
let fixture: Fixture;
let recorded: AuditEvent[];
let trailFailure: Error | undefined;
let full: KmsError | undefined;

beforeEach(async () => {
  fixture = await makeFixture();
  recorded = [];
  trailFailure = undefined;
  full = undefined;
});

const trail = {
  requireRoom: () => {
    if (full !== undefined) throw full;
  },
  record: async (event: AuditEvent) => {
    if (trailFailure !== undefined) throw trailFailure;
    recorded.push(event);
  },
};

/** Runs one operation as the edge does, with evidence of its own. */
async function run<T>(
  work: (op: Operation) => T | Promise<T>,
  kms: Kms = fixture.kms,
  caller: Caller = fixture.admin,
): Promise<T> {
  const evidence = new OperationEvidence(trail, fixture.kms.clock, {
    tenantId: fixture.tenantId,
    actor: { type: 'service', id: caller.subject },
    context: { requestId: 'r-1', userAgent: null, source: 'api', ip: null },
    action: 'encrypt',
    eventType: 'kms.encrypt',
  });
  return withEvidence(evidence, () => work({ kms, caller, evidence }));
}

/** What units of work left. */
function committed(): readonly AuditEvent[] {
  return fixture.store.evidence();
}

async function newKey(): Promise<string> {
  return (await createKey({ kms: fixture.kms, caller: fixture.admin }, {})).keyId;
}

describe('the reason of a change', () => {
  const CHANGES: readonly (readonly [string, (op: Operation, change: ChangeRequest) => Promise<unknown>])[] = [
    ['rotated', (op, change) => rotateKey(op, change)],
    ['upgraded', (op, change) => upgradeKey(op, change)],
    ['suspended', (op, change) => suspendKey(op, change)],
    ['resumed', (op, change) => resumeKey(op, change)],
    ['destruction-scheduled', (op, change) => destroyKey(op, change)],
    ['restored', (op, change) => restoreKey(op, change)],
    ['shredded', (op, change) => shredKey(op, { ...change, confirmation: `SHRED-${change.keyId}` })],
  ];

  test('is in its evidence, and in no other', async () => {
    const keyId = await newKey();
    for (const [name, change] of CHANGES)
      await run((op) => change(op, { keyId, statedReason: `because it is to be ${name}` }));
    const found = committed().map(({ eventType, changes }) => [
      eventType,
      changes?.before?.['reason'],
      changes?.after?.['reason'],
    ]);
    expect(found).toEqual(CHANGES.map(([name]) => [`kms.key.${name}`, undefined, `because it is to be ${name}`]));
    await expect(getKey({ kms: fixture.kms, caller: fixture.admin }, { keyId })).resolves.not.toHaveProperty('reason');
  });

  test('need not be given', async () => {
    const keyId = await newKey();
    await run((op) => rotateKey(op, { keyId }));
    expect(committed().at(-1)?.changes?.after).not.toHaveProperty('reason');
  });
});

describe('an operation that leaves evidence', () => {
  test('is answered when its event is durable', async () => {
    const keyId = await newKey();
    await run((op) => encrypt(op, { keyId, plaintext: DATA }));
    expect(recorded).toMatchObject([
      { eventType: 'kms.encrypt', result: 'success', resource: { id: keyId, version: 1 } },
    ]);
  });

  test('gives no output when its event cannot be written, though the work was done', async () => {
    const keyId = await newKey();
    trailFailure = new KmsError('STORE_UNAVAILABLE', 'the database is away');
    const answer = run((op) => encrypt(op, { keyId, plaintext: DATA }));
    await expect(answer).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE', retryAfterSeconds: 1 });
  });

  test('that failed answers AUDIT_UNAVAILABLE when not even that can be written', async () => {
    trailFailure = new Error('no');
    const denied = run(
      (op) => encrypt(op, { keyId: 'none', plaintext: DATA }),
      fixture.kms,
      callerOf(fixture.tenantId, 'auditor'),
    );
    await expect(denied).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  });

  test('is not begun when there is no room for its event', async () => {
    full = new KmsError('AUDIT_UNAVAILABLE', 'full');
    let begun = false;
    const answer = run(async () => {
      begun = true;
    });
    await expect(answer).rejects.toBe(full);
    expect([begun, recorded]).toEqual([false, []]);
  });

  test('leaves a denial under its own type, with the key that it was about', async () => {
    const keyId = await newKey();
    const denied = run(
      (op) => encrypt(op, { keyId, plaintext: DATA }),
      fixture.kms,
      callerOf(fixture.tenantId, 'auditor'),
    );
    await expect(denied).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(recorded).toMatchObject([
      {
        eventType: 'kms.access.denied',
        action: 'encrypt',
        result: 'denied',
        errorCode: 'FORBIDDEN',
        resource: { id: keyId },
      },
    ]);
  });
});

describe('a ciphertext that moves to another key', () => {
  let source: string;
  let destination: string;
  let ciphertext: Uint8Array;
  beforeEach(async () => {
    [source, destination] = [await newKey(), await newKey()];
    ({ ciphertext } = await encrypt({ kms: fixture.kms, caller: fixture.admin }, { keyId: source, plaintext: DATA }));
  });

  test('leaves an event for each of the keys', async () => {
    await run((op) => reencrypt(op, { ciphertext, destinationKeyId: destination }));
    expect(recorded).toMatchObject([
      { eventType: 'kms.decrypt', result: 'success', resource: { id: source, version: 1 } },
      { eventType: 'kms.encrypt', result: 'success', resource: { id: destination, version: 1 } },
    ]);
  });

  test('leaves one for a key that stays', async () => {
    await rotateKey({ kms: fixture.kms, caller: fixture.admin }, { keyId: source });
    await run((op) => reencrypt(op, { ciphertext, destinationKeyId: source }));
    expect(recorded).toMatchObject([{ resource: { id: source, version: 2 } }]);
  });

  test('and is denied there names that key, and denied at its own names its own', async () => {
    const deny = (action: string) => ({
      version: '1' as const,
      statements: [{ effect: 'deny' as const, actions: [action], resources: ['*'] }],
    });
    await putKeyPolicy(
      { kms: fixture.kms, caller: fixture.admin },
      { keyId: destination, policy: deny('kms:encrypt') },
    );
    const move = () => run((op) => reencrypt(op, { ciphertext, destinationKeyId: destination }));
    await expect(move()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(recorded).toMatchObject([
      { eventType: 'kms.decrypt', result: 'success', resource: { id: source } },
      { eventType: 'kms.access.denied', result: 'denied', resource: { id: destination } },
    ]);
    recorded = [];
    await putKeyPolicy({ kms: fixture.kms, caller: fixture.admin }, { keyId: source, policy: deny('kms:decrypt') });
    await expect(move()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(recorded).toMatchObject([{ eventType: 'kms.access.denied', resource: { id: source } }]);
  });

  test('to one that does not exist names that one, too', async () => {
    const unknown = newId();
    const moved = run((op) => reencrypt(op, { ciphertext, destinationKeyId: unknown }));
    await expect(moved).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(recorded).toMatchObject([
      { eventType: 'kms.decrypt', resource: { id: source } },
      { result: 'failure', errorCode: 'NOT_FOUND', resource: { id: unknown, version: null } },
    ]);
  });

  test('gives no output when the event of its own key cannot be written', async () => {
    trailFailure = new Error('no');
    const moved = run((op) => reencrypt(op, { ciphertext, destinationKeyId: destination }));
    await expect(moved).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  });
});

describe('several operations in one request', () => {
  test('leave an event each and none for the whole, also when none of them was begun', async () => {
    const whole = new OperationEvidence(trail, fixture.kms.clock, {
      tenantId: fixture.tenantId,
      actor: { type: 'service', id: fixture.admin.subject },
      context: { requestId: 'r-1', userAgent: null, source: 'api', ip: null },
      action: 'encrypt',
      eventType: 'kms.encrypt',
    });
    await withEvidence(whole, async () => whole.comesInItems());
    expect(recorded).toEqual([]);
    await withEvidence(whole, () => withEvidence(whole.item(), async () => undefined));
    expect(recorded).toHaveLength(1);
  });
});

describe('a change', () => {
  test('commits with its event, which is then the only one', async () => {
    const keyId = await newKey();
    await run((op) => suspendKey(op, { keyId }));
    expect(recorded).toEqual([]);
    expect(committed()).toMatchObject([
      {
        eventType: 'kms.key.suspended',
        resource: { type: 'key', id: keyId },
        changes: { before: { state: 'active', revision: 1 }, after: { state: 'suspended', revision: 2 } },
      },
    ]);
    expect(Object.keys(committed()[0]?.changes?.after ?? {}).sort()).toEqual(['revision', 'state']);
  });

  test('does not happen when its event cannot be written', async () => {
    const keyId = await newKey();
    const broken: Kms = {
      ...fixture.kms,
      store: Object.assign(Object.create(fixture.kms.store) as Kms['store'], {
        transact: (...[scope, work]: Parameters<Kms['store']['transact']>) =>
          fixture.kms.store.transact(scope, (unit) =>
            work({ ...unit, evidence: { append: () => Promise.reject(new Error('no outbox')) } }),
          ),
      }),
    };
    const answer = run((op) => suspendKey(op, { keyId }), broken);
    await expect(answer).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(await fixture.store.readKey(fixture.tenantId, keyId)).toMatchObject({ state: 'active', revision: 1 });
    expect(committed()).toEqual([]);
  });

  test('that is refused leaves its event outside of any unit of work', async () => {
    const keyId = await newKey();
    await run((op) => revokeKey(op, { keyId, reason: 'policy_violation' }));
    const refused = run((op) => rotateKey(op, { keyId }));
    await expect(refused).rejects.toMatchObject({ code: 'KEY_STATE_INVALID' });
    expect(committed()).toHaveLength(1);
    expect(recorded).toMatchObject([{ result: 'failure', errorCode: 'KEY_STATE_INVALID' }]);
  });

  test('names no value of metadata', async () => {
    await run((op) => createKey(op, { metadata: { owner: 'somebody with a name' } }));
    expect(committed()[0]?.changes?.after).toMatchObject({ metadataKeys: ['owner'] });
    expect(JSON.stringify(committed())).not.toContain('somebody');
  });

  test('that a schedule makes is the act of the service itself', async () => {
    const { keyId } = await createKey({ kms: fixture.kms, caller: fixture.admin }, { rotation: { periodSeconds: 60 } });
    fixture.advance(61_000);
    await runDueWork(
      operationOfService({ ...fixture.kms, evidence: { trail, store: new SealedEvidence() } }, 'runDueWork'),
      new AbortController().signal,
    );
    expect(committed()).toMatchObject([
      { eventType: 'kms.key.rotated', actor: SERVICE_ITSELF, resource: { id: keyId, version: 2 }, action: 'rotateKey' },
    ]);
  });
});

test('without evidence nothing is left', async () => {
  await newKey();
  expect(await withEvidence(undefined, () => Promise.resolve('answer'))).toBe('answer');
  expect([committed(), recorded]).toEqual([[], []]);
  expect(inMemoryStore().evidence()).toEqual([]);
});

describe('a batch that is refused at the permission', () => {
  async function batch(caller: Caller, keyIds: readonly string[]): Promise<void> {
    const evidence = new OperationEvidence(trail, fixture.kms.clock, {
      tenantId: fixture.tenantId,
      actor: { type: 'service', id: caller.subject },
      context: { requestId: 'r-1', userAgent: null, source: 'api', ip: null },
      action: 'encrypt',
      eventType: 'kms.encrypt',
    });
    evidence.comesInItems();
    for (const keyId of keyIds) {
      const item = evidence.item();
      const work = async () => encrypt({ kms: fixture.kms, caller, evidence: item }, { keyId, plaintext: DATA });
      await expect(withEvidence(item, work)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    await evidence.succeeded();
  }
  const freshKey = async () => (await createKey({ kms: fixture.kms, caller: fixture.admin }, {})).keyId;

  test('leaves one event, however many items and keys it names', async () => {
    const [first, second] = [await freshKey(), await freshKey()];
    await batch(callerOf(fixture.tenantId, 'auditor'), [...Array.from({ length: 100 }, () => first), second]);
    expect(recorded).toMatchObject([{ eventType: 'kms.access.denied', result: 'denied', resource: { id: first } }]);
  });

  test('leaves one for each key that its credential is not for: it may be looking for those that it can use', async () => {
    const [own, first, second] = [await freshKey(), await freshKey(), await freshKey()];
    await batch({ ...fixture.admin, keys: new Set([own]) }, [first, second, first, second]);
    expect(recorded.map(({ eventType, resource }) => [eventType, resource.id])).toEqual([
      ['kms.access.denied', first],
      ['kms.access.denied', second],
    ]);
  });

  test('leaves one for each key whose policy denies it', async () => {
    const [first, second] = [await freshKey(), await freshKey()];
    const policy = {
      version: '1',
      statements: [{ effect: 'deny', actions: ['kms:encrypt'], resources: ['*'] }],
    } as const;
    for (const keyId of [first, second])
      await putKeyPolicy({ kms: fixture.kms, caller: fixture.admin }, { keyId, policy });
    await batch(fixture.admin, [first, second, first, second]);
    expect(recorded.map(({ resource }) => resource.id)).toEqual([first, second]);
  });
});
