import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  type AuditEvent,
  type CallFacts,
  type Caller,
  localCaller,
  type OpenedKms,
  openKms,
  type OpenKmsOptions,
  softwareRoot,
} from '../src/exports/internal.ts';
import { checkFields } from '../src/door/input-fields.ts';
import { CALLERS_OPERATIONS } from '../src/door/operations-by-name.ts';
import { inMemoryStorage } from '../src/testing/in-memory-storage.ts';
import { BOUNDED } from './bounded-operations.ts';

const roots = softwareRoot('software', randomBytes(32));
/** What JavaScript hands over where a type promises text. */
const NO_TEXT: readonly unknown[] = [
  null,
  7,
  7n,
  {},
  ['a'],
  () => 'a',
  Symbol('a'),
  'a\0',
  'a\ud800',
  'x'.repeat(5000),
];

async function open(events: AuditEvent[] = []): Promise<readonly [OpenedKms, Caller]> {
  const trail = { requireRoom: () => undefined, record: async (event: AuditEvent) => void events.push(event) };
  const evidence = () => ({ trail, close: async () => undefined });
  const kms = await openKms({ storage: inMemoryStorage(), roots, alert: () => undefined, evidence });
  const tenantId = await kms.ensureTenant('test');
  events.length = 0;
  return [kms, localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' })];
}

/** Who would leave an event that is none, or call for more or less than was meant. */
const NO_CALLERS: Readonly<Record<string, readonly unknown[]>> = {
  tenantId: [undefined, '', 'acme', '01900000-0000-7000-8000-00000000000A', ...NO_TEXT],
  subject: [undefined, '', ...NO_TEXT],
  permissions: [undefined, null, 'kms:encrypt', ['kms:encrypt'], {}],
  attributes: [undefined, null, 'none'],
  ip: [undefined, '', 'localhost', '192.0.2.1:80', '192.0.2.0/24', ['192.0.2.1'], 7],
  mfa: [undefined, null, 'no', 0],
};

test.each(Object.keys(NO_CALLERS))('nobody calls with a %s that is none, and nothing is left of it', async (field) => {
  const events: AuditEvent[] = [];
  const [kms, ada] = await open(events);
  for (const value of NO_CALLERS[field] ?? []) {
    const isAttribute = field in ada.attributes;
    const attributes = { ...ada.attributes, ...(isAttribute ? { [field]: value } : {}) };
    const caller = { ...ada, attributes, ...(isAttribute ? {} : { [field]: value }) } as Caller;
    expect(() => kms.as(caller), String(value)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  }
  expect(events).toEqual([]);
  await kms.close();
});

test.each([undefined, null, 'ada', 7])('%s is no caller', async (caller) => {
  const [kms] = await open();
  expect(() => kms.as(caller as unknown as Caller)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  await kms.close();
});

test.each(['requestId', 'userAgent', 'source'])('nothing is called with a %s that is no text', async (field) => {
  const [kms, ada] = await open();
  for (const value of NO_TEXT) {
    if (value === null && field !== 'source') continue;
    const facts = { [field]: value } as CallFacts;
    expect(() => kms.as(ada, facts), String(value)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  }
  expect(await kms.as(ada, { [field]: 'Łódź 1/2\n' }).getRandom({ bytes: 1 })).toHaveLength(1);
  await kms.close();
});

test('nobody presents a credential from an address, with a request or for a tenant that is none', async () => {
  const events: AuditEvent[] = [];
  const [kms, ada] = await open(events);
  const { token, tokenId } = await kms.as(ada).createToken({ name: 'ended', role: 'key_user' });
  await kms.as(ada).revokeToken({ tokenId });
  events.length = 0;
  const presenters = [
    ...['', 'localhost', '192.0.2.1:80', 7].map((ip) => ({ ip })),
    ...NO_TEXT.filter((value) => value !== null).map((requestId) => ({ requestId })),
    ...['', 'acme', 7, null].map((tenantId) => ({ tenantId })),
    null,
    'ada',
  ];
  for (const presenter of presenters)
    await expect(kms.authenticate({ bearer: token }, presenter as never)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
  for (const credentials of [undefined, null, token, { bearer: 5 }, { bearer: null }])
    await expect(kms.authenticate(credentials as never)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  expect(events).toEqual([]);
  await expect(
    kms.authenticate({ bearer: token }, { ip: '2001:db8::1', requestId: 'r-1', tenantId: ada.tenantId }),
  ).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  expect(events).toMatchObject([{ context: { ip: '2001:db8::1', requestId: 'r-1' } }]);
  await kms.close();
});

test('an application says of a caller only what there is', async () => {
  const ada = { tenantId: '01900000-0000-7000-8000-00000000000a', subject: 'ada' };
  const none = [
    { role: 'boss' },
    { role: 'constructor' },
    { permissions: ['kms:everything'] },
    { permissions: 'kms:encrypt' },
    { ip: 'localhost' },
    { subject: undefined },
  ];
  for (const said of none)
    expect(() => localCaller({ ...ada, ...said } as Parameters<typeof localCaller>[0]), JSON.stringify(said)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
});

test.each([null, 'a key', 7])('%s is no input of an operation', async (input) => {
  const [kms, ada] = await open();
  const call = kms.as(ada).encrypt(input as never);
  await expect(call).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  await kms.close();
});

test('an input says nothing that its operation does not listen to', async () => {
  const [kms, ada] = await open();
  const own = kms.as(ada);
  const { keyId } = await own.createKey();
  for (const name of Object.keys(own) as (keyof typeof own)[]) {
    const operation = own[name] as (input: object) => Promise<unknown>;
    await expect(operation({ misspelt: 1 }), name).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      details: { issues: [{ path: 'misspelt' }] },
    });
  }
  const plaintext = Buffer.from('a');
  const misspelt = { keyId, plaintext, contxt: { order: '7' } };
  await expect(own.encrypt(misspelt)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  expect(await own.encrypt({ keyId, plaintext, context: { order: '7' } })).toMatchObject({ keyVersion: 1 });
  await kms.close();
});

test('what every operation can be told is what it takes through the door', async () => {
  for (const [name, operation] of Object.entries(CALLERS_OPERATIONS)) {
    const { fields } = BOUNDED[operation.name as keyof typeof BOUNDED];
    for (const field of Object.keys(fields).filter((each) => each !== 'idempotency'))
      expect(() => checkFields(name as keyof typeof CALLERS_OPERATIONS, { [field]: undefined }), field).not.toThrow();
  }
});

test('an encryption context is taken from the members of an object alone', async () => {
  const [kms, ada] = await open();
  const { keyId } = await kms.as(ada).createKey();
  for (const context of [new Map([['order', '7']]), new Headers({ order: '7' }), new Set(['order']), new Date()]) {
    const call = kms.as(ada).encrypt({ keyId, plaintext: Buffer.from('a'), context: context as never });
    await expect(call).rejects.toMatchObject({ code: 'BAD_REQUEST', details: { issues: [{ path: 'context' }] } });
  }
  await kms.close();
});

test('a tenant may have a name as long as any', async () => {
  const [kms] = await open();
  for (const name of ['x'.repeat(256), 'y'.repeat(248), 'y'.repeat(246)])
    expect(await kms.ensureTenant(name)).toBe(await kms.ensureTenant(name));
  await kms.close();
});

/** What is no option, by the path that the refusal names. */
const NO_OPTIONS: Readonly<Record<string, object>> = {
  schedul: { schedul: { report: () => undefined } },
  alert: { alert: undefined },
  roots: { roots: Promise.resolve(roots) },
  cache: { cache: {} },
  evidence: { evidence: { trail: {} } },
  verifiers: { verifiers: () => undefined },
  'schedule.report': { schedule: {} },
  'schedule.intervalMs': { schedule: { report: () => undefined, intervalMs: 2 ** 31 } },
  'schedule.tokenRetentionSeconds': { schedule: { report: () => undefined, tokenRetentionSeconds: 0 } },
  'schedule.masterKeyRotationDays': { schedule: { report: () => undefined, masterKeyRotationDays: -1 } },
  'quotas.keys': { quotas: { keys: -1 } },
  'quotas.kays': { quotas: { kays: 1 } },
  credentialLifetimeSeconds: { credentialLifetimeSeconds: 0 },
  requireFips: { requireFips: 'no' },
  legacyRead: { legacyRead: 'no' },
  acceptRestoredCopy: { acceptRestoredCopy: '2026-01-01T00:00:00.000Z' },
};

test.each(Object.entries(NO_OPTIONS))('a KMS is not opened with a %s that is none', async (path, none) => {
  const storage = inMemoryStorage();
  const options = { storage, roots, alert: () => undefined, ...none } as OpenKmsOptions;
  await expect(openKms(options)).rejects.toMatchObject({ code: 'BAD_REQUEST', details: { issues: [{ path }] } });
});

test('a root key is bytes', () => {
  for (const key of ['a'.repeat(32), Array.from({ length: 32 }), undefined])
    expect(() => softwareRoot('software', key as never)).toThrow(RangeError);
});
