import { beforeEach, describe, expect, test } from 'vitest';
import {
  type AuditEvent,
  type ChangeRequest,
  createKey,
  destroyKey,
  encrypt,
  getKey,
  type Kms,
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
} from '../src/index.ts';
import { inMemoryStore } from '../src/testing/in-memory-store.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

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
async function run<T>(work: (kms: Kms) => Promise<T>): Promise<T> {
  const evidence = new OperationEvidence(trail, fixture.kms.clock, {
    tenantId: fixture.tenantId,
    actor: { type: 'service', id: fixture.admin.subject },
    context: { requestId: 'r-1', userAgent: null, source: 'api', ip: null },
    action: 'encrypt',
    eventType: 'kms.encrypt',
  });
  return withEvidence(evidence, () => work({ ...fixture.kms, evidence }));
}

/** What units of work left. */
function committed(): readonly AuditEvent[] {
  return fixture.store.evidence();
}

async function newKey(): Promise<string> {
  return (await createKey(fixture.kms, fixture.admin, {})).keyId;
}

describe('the reason of a change', () => {
  const CHANGES: readonly (readonly [string, (kms: Kms, change: ChangeRequest) => Promise<unknown>])[] = [
    ['rotated', (kms, change) => rotateKey(kms, fixture.admin, change)],
    ['upgraded', (kms, change) => upgradeKey(kms, fixture.admin, change)],
    ['suspended', (kms, change) => suspendKey(kms, fixture.admin, change)],
    ['resumed', (kms, change) => resumeKey(kms, fixture.admin, change)],
    ['destruction-scheduled', (kms, change) => destroyKey(kms, fixture.admin, change)],
    ['restored', (kms, change) => restoreKey(kms, fixture.admin, change)],
    ['shredded', (kms, change) => shredKey(kms, fixture.admin, { ...change, confirmation: `SHRED-${change.keyId}` })],
  ];

  test('is in its evidence, and in no other', async () => {
    const keyId = await newKey();
    for (const [name, change] of CHANGES)
      await run((kms) => change(kms, { keyId, statedReason: `because it is to be ${name}` }));
    const found = committed().map(({ eventType, changes }) => [
      eventType,
      changes?.before?.['reason'],
      changes?.after?.['reason'],
    ]);
    expect(found).toEqual(CHANGES.map(([name]) => [`kms.key.${name}`, undefined, `because it is to be ${name}`]));
    await expect(getKey(fixture.kms, fixture.admin, { keyId })).resolves.not.toHaveProperty('reason');
  });

  test('need not be given', async () => {
    const keyId = await newKey();
    await run((kms) => rotateKey(kms, fixture.admin, { keyId }));
    expect(committed().at(-1)?.changes?.after).not.toHaveProperty('reason');
  });
});

describe('an operation that leaves evidence', () => {
  test('is answered when its event is durable', async () => {
    const keyId = await newKey();
    await run((kms) => encrypt(kms, fixture.admin, { keyId, plaintext: DATA }));
    expect(recorded).toMatchObject([
      { eventType: 'kms.encrypt', result: 'success', resource: { id: keyId, version: 1 } },
    ]);
  });

  test('gives no output when its event cannot be written, though the work was done', async () => {
    const keyId = await newKey();
    trailFailure = new KmsError('STORE_UNAVAILABLE', 'the database is away');
    const answer = run((kms) => encrypt(kms, fixture.admin, { keyId, plaintext: DATA }));
    await expect(answer).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE', retryAfterSeconds: 1 });
  });

  test('that failed answers AUDIT_UNAVAILABLE when not even that can be written', async () => {
    trailFailure = new Error('no');
    const denied = run((kms) =>
      encrypt(kms, callerOf(fixture.tenantId, 'auditor'), { keyId: 'none', plaintext: DATA }),
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
    const denied = run((kms) => encrypt(kms, callerOf(fixture.tenantId, 'auditor'), { keyId, plaintext: DATA }));
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
    ({ ciphertext } = await encrypt(fixture.kms, fixture.admin, { keyId: source, plaintext: DATA }));
  });

  test('leaves an event for each of the keys', async () => {
    await run((kms) => reencrypt(kms, fixture.admin, { ciphertext, destinationKeyId: destination }));
    expect(recorded).toMatchObject([
      { eventType: 'kms.decrypt', result: 'success', resource: { id: source, version: 1 } },
      { eventType: 'kms.encrypt', result: 'success', resource: { id: destination, version: 1 } },
    ]);
  });

  test('leaves one for a key that stays', async () => {
    await rotateKey(fixture.kms, fixture.admin, { keyId: source });
    await run((kms) => reencrypt(kms, fixture.admin, { ciphertext, destinationKeyId: source }));
    expect(recorded).toMatchObject([{ resource: { id: source, version: 2 } }]);
  });

  test('and is denied there names that key, and denied at its own names its own', async () => {
    const deny = (action: string) => ({
      version: '1' as const,
      statements: [{ effect: 'deny' as const, actions: [action], resources: ['*'] }],
    });
    await putKeyPolicy(fixture.kms, fixture.admin, { keyId: destination, policy: deny('kms:encrypt') });
    const move = () => run((kms) => reencrypt(kms, fixture.admin, { ciphertext, destinationKeyId: destination }));
    await expect(move()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(recorded).toMatchObject([
      { eventType: 'kms.decrypt', result: 'success', resource: { id: source } },
      { eventType: 'kms.access.denied', result: 'denied', resource: { id: destination } },
    ]);
    recorded = [];
    await putKeyPolicy(fixture.kms, fixture.admin, { keyId: source, policy: deny('kms:decrypt') });
    await expect(move()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(recorded).toMatchObject([{ eventType: 'kms.access.denied', resource: { id: source } }]);
  });

  test('to one that does not exist names that one, too', async () => {
    const unknown = newId();
    const moved = run((kms) => reencrypt(kms, fixture.admin, { ciphertext, destinationKeyId: unknown }));
    await expect(moved).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(recorded).toMatchObject([
      { eventType: 'kms.decrypt', resource: { id: source } },
      { result: 'failure', errorCode: 'NOT_FOUND', resource: { id: unknown, version: null } },
    ]);
  });

  test('gives no output when the event of its own key cannot be written', async () => {
    trailFailure = new Error('no');
    const moved = run((kms) => reencrypt(kms, fixture.admin, { ciphertext, destinationKeyId: destination }));
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
    await run((kms) => suspendKey(kms, fixture.admin, { keyId }));
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
    const answer = run((kms) => suspendKey({ ...broken, evidence: kms.evidence }, fixture.admin, { keyId }));
    await expect(answer).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(await fixture.store.readKey(fixture.tenantId, keyId)).toMatchObject({ state: 'active', revision: 1 });
    expect(committed()).toEqual([]);
  });

  test('that is refused leaves its event outside of any unit of work', async () => {
    const keyId = await newKey();
    await run((kms) => revokeKey(kms, fixture.admin, { keyId, reason: 'policy_violation' }));
    const refused = run((kms) => rotateKey(kms, fixture.admin, { keyId }));
    await expect(refused).rejects.toMatchObject({ code: 'KEY_STATE_INVALID' });
    expect(committed()).toHaveLength(1);
    expect(recorded).toMatchObject([{ result: 'failure', errorCode: 'KEY_STATE_INVALID' }]);
  });

  test('names no value of metadata', async () => {
    await run((kms) => createKey(kms, fixture.admin, { metadata: { owner: 'somebody with a name' } }));
    expect(committed()[0]?.changes?.after).toMatchObject({ metadataKeys: ['owner'] });
    expect(JSON.stringify(committed())).not.toContain('somebody');
  });

  test('that a schedule makes is the act of the service itself', async () => {
    const evidence = new OperationEvidence(trail, fixture.kms.clock, {
      tenantId: fixture.tenantId,
      actor: SERVICE_ITSELF,
      context: { requestId: null, userAgent: null, source: 'service', ip: null },
      action: 'start',
      eventType: 'kms.tenant.created',
    });
    const { keyId } = await createKey(fixture.kms, fixture.admin, { rotation: { periodSeconds: 60 } });
    fixture.advance(61_000);
    await runDueWork({ ...fixture.kms, evidence }, new AbortController().signal);
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
      const kms = { ...fixture.kms, evidence: item };
      const work = async () => encrypt(kms, caller, { keyId, plaintext: DATA });
      await expect(withEvidence(item, work)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    await evidence.succeeded();
  }
  const freshKey = async () => (await createKey(fixture.kms, fixture.admin, {})).keyId;

  test('leaves one event, however many items and keys it names', async () => {
    const [first, second] = [await freshKey(), await freshKey()];
    await batch(callerOf(fixture.tenantId, 'auditor'), [...Array.from({ length: 100 }, () => first), second]);
    expect(recorded).toMatchObject([{ eventType: 'kms.access.denied', result: 'denied', resource: { id: first } }]);
  });

  test('leaves one for each key whose policy denies it', async () => {
    const [first, second] = [await freshKey(), await freshKey()];
    const policy = {
      version: '1',
      statements: [{ effect: 'deny', actions: ['kms:encrypt'], resources: ['*'] }],
    } as const;
    for (const keyId of [first, second]) await putKeyPolicy(fixture.kms, fixture.admin, { keyId, policy });
    await batch(fixture.admin, [first, second, first, second]);
    expect(recorded.map(({ resource }) => resource.id)).toEqual([first, second]);
  });
});
