import { randomBytes } from 'node:crypto';
import { resolveAlgorithm, SYSTEM_TENANT } from '@qnsp/kms-core';
import {
  authenticateToken,
  createApiToken,
  createKey,
  createTenant,
  decrypt,
  deleteKeyPolicy,
  destroyKey,
  encrypt,
  getKey,
  type Kms,
  listApiTokens,
  listKeys,
  listTenants,
  putKeyPolicy,
  RECORD_FORMATS,
  type RecordFormats,
  restoreKey,
  resumeKey,
  revokeApiToken,
  revokeKey,
  rotateKey,
  shredTenant,
  suspendKey,
  TenantAuthority,
  tokenAuthority,
  updateKey,
} from '@qnsp/kms-core/internal';
import { fieldOf, KNOWN_FIELDS, type KeyRecord, type RecordField, type Store, withField } from '@qnsp/kms-core/ports';
import { scopeOf, SYSTEM } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { administrator, fixtureKms } from './migration-fixtures/fixture-kms.ts';
import { rawSql } from './raw-sql.ts';

// Fields as CONTRIBUTING has one added: defined, and made known to a release.
const text = { encode: (value: string) => value, decode: String };
const DESCRIPTION: RecordField<string> = { tag: 'description', evidence: 'value', ...text };
const APPROVAL: RecordField<string> = { tag: '!approval', evidence: 'value', ...text };
const VALID_TO: RecordField<Date> = {
  tag: 'validTo',
  evidence: 'value',
  encode: (at) => at.getTime(),
  decode: (stored) => new Date(Number(stored)),
};
const NEWER: RecordFormats = {
  ...RECORD_FORMATS,
  known: { key: [DESCRIPTION, APPROVAL], version: [VALID_TO], token: [DESCRIPTION, APPROVAL], tenant: [DESCRIPTION] },
};
const OLDER: RecordFormats = { ...RECORD_FORMATS, known: KNOWN_FIELDS };
const FIRST: RecordFormats = { ...RECORD_FORMATS, written: 1 };
const AT = new Date('2031-01-01T00:00:00.001Z');
const FORGED = { code: 'INTERNAL_ERROR', message: expect.stringContaining('failed its integrity check') };

const rootKey = randomBytes(32);
let database: TestDatabase;
let store: Store;
let close: () => Promise<void>;
let sql: Sql;
let tenantId: string;
let caller: ReturnType<typeof administrator>;
let newer: Kms;
let older: Kms;

/** A process that starts now: nothing is in memory. */
const start = (formats: RecordFormats) => fixtureKms(store, rootKey, formats);

beforeAll(async () => {
  database = await createDatabase();
  ({ store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
  sql = rawSql(database.url);
  newer = await start(NEWER);
  ({ tenantId } = await createTenant({ kms: newer, caller: administrator(SYSTEM_TENANT) }, { name: 'acme' }));
  caller = administrator(tenantId);
});
beforeEach(async () => {
  [newer, older] = [await start(NEWER), await start(OLDER)];
});
afterAll(async () => {
  await sql.end();
  await close();
  await database.drop();
});

/** Changes a key as an operation does. */
async function change(kms: Kms, keyId: string, changed: (record: KeyRecord) => Partial<KeyRecord>): Promise<KeyRecord> {
  const chain = await kms.hierarchy.masterKeys(tenantId);
  return store.transact(scopeOf(tenantId), async (unit) => {
    const record = await unit.keys.get(keyId, { lock: true });
    if (record === undefined) throw new Error('there is no such key');
    chain.verifyRecord(record);
    const signed = chain.signRecord({ ...record, ...changed(record), revision: record.revision + 1 });
    await unit.keys.update(signed, record.revision);
    return signed;
  });
}

/** A key of two versions with an optional field of its own and one of each version. */
async function keyWithFields(): Promise<string> {
  const { keyId } = await createKey({ kms: newer, caller }, { metadata: { team: 'a' } });
  await rotateKey({ kms: newer, caller }, { keyId });
  await change(newer, keyId, ({ fields, versions }) => ({
    fields: withField(fields, DESCRIPTION, 'of payments'),
    versions: versions.map((version) => ({
      ...version,
      fields: withField(version.fields, VALID_TO, new Date(AT.getTime() + version.version)),
    })),
  }));
  return keyId;
}

/** A statement that no trigger and no policy keeps from anything, as the owner of the tables could send it. */
async function asOwner(statement: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx.unsafe(`set local session_replication_role = replica; ${statement}`);
  });
}

const formatOf = async (keyId: string) => (await store.readKey(tenantId, keyId))?.mac.format;

async function expectFields(keyId: string): Promise<void> {
  const record = await newer.keyRing.read(tenantId, keyId);
  expect(record.mac.format).toBe(2);
  expect(fieldOf(record.fields, DESCRIPTION)).toBe('of payments');
  for (const version of record.versions.slice(0, 2))
    expect(fieldOf(version.fields, VALID_TO)).toEqual(new Date(AT.getTime() + version.version));
}

describe('a version that somebody changed in the database', () => {
  const spoil = (keyId: string) =>
    asOwner(`update kms.key_versions set sealed = sealed || '\\x00'::bytea where key_id = '${keyId}'`);

  it('is not made authentic by a rotation that began before, and is making its key pair', async () => {
    const tenant = await createTenant({ kms: newer, caller: administrator(SYSTEM_TENANT) }, { name: 'changed' });
    const op = { kms: newer, caller: administrator(tenant.tenantId) };
    const { keyId } = await createKey(op, { algorithm: resolveAlgorithm('ed25519') });
    const { jobs } = newer;
    const run = jobs.run.bind(jobs);
    const making = vi.spyOn(jobs, 'run').mockImplementationOnce(async (job, work) => {
      await spoil(keyId);
      return run(job, work);
    });
    expect(await rotateKey(op, { keyId })).toMatchObject({ revision: 2, currentVersion: 2 });
    expect(making).toHaveBeenCalledOnce();
    making.mockRestore();
    await expect(getKey(op, { keyId })).rejects.toMatchObject(FORGED);
  });

  it('keeps a key from being rotated', async () => {
    const tenant = await createTenant({ kms: newer, caller: administrator(SYSTEM_TENANT) }, { name: 'spoiled' });
    const op = { kms: newer, caller: administrator(tenant.tenantId) };
    for (const algorithm of ['aes-256-gcm', 'ed25519']) {
      const { keyId } = await createKey(op, { algorithm: resolveAlgorithm(algorithm) });
      await spoil(keyId);
      await expect(rotateKey(op, { keyId })).rejects.toMatchObject(FORGED);
      await expect(getKey(op, { keyId })).rejects.toMatchObject(FORGED);
    }
  });
});

describe('an optional field of a key', () => {
  it('is there for each read, and may change and go', async () => {
    const keyId = await keyWithFields();
    await expectFields(keyId);
    expect(await getKey({ kms: newer, caller }, { keyId })).toMatchObject({ keyId, metadata: { team: 'a' } });
    expect((await listKeys({ kms: newer, caller }, { limit: 200 })).warnings).toBeUndefined();
    const without = await change(newer, keyId, ({ fields, versions }) => ({
      fields: withField(fields, DESCRIPTION, undefined),
      versions: versions.map((version) => ({ ...version, fields: withField(version.fields, VALID_TO, undefined) })),
    }));
    expect([without.fields, ...without.versions.map(({ fields }) => fields)]).toEqual([{}, {}, {}]);
    await getKey({ kms: await start(NEWER), caller }, { keyId });
    expect(await formatOf(keyId)).toBe(2);
  });

  it('is kept by every operation of a release that does not know it', async () => {
    const keyId = await keyWithFields();
    const plaintext = randomBytes(8);
    const { ciphertext } = await encrypt({ kms: older, caller }, { keyId, plaintext });
    expect(await decrypt({ kms: older, caller }, { ciphertext })).toMatchObject({ plaintext });
    const policy = { version: '1', statements: [{ effect: 'allow', actions: ['kms:*'], resources: ['*'] }] } as const;
    const changes = [
      () => updateKey({ kms: older, caller }, { keyId, name: 'renamed', metadata: {} }),
      () => rotateKey({ kms: older, caller }, { keyId }),
      () => putKeyPolicy({ kms: older, caller }, { keyId, policy }),
      () => deleteKeyPolicy({ kms: older, caller }, { keyId }),
      () => suspendKey({ kms: older, caller }, { keyId }),
      () => resumeKey({ kms: older, caller }, { keyId }),
      () => destroyKey({ kms: older, caller }, { keyId }),
      () => restoreKey({ kms: older, caller }, { keyId }),
      () => revokeKey({ kms: older, caller }, { keyId, reason: 'end_of_life' }),
    ];
    for (const each of changes) {
      await each();
      await expectFields(keyId);
    }
  });

  it('is given to a key of format 1, which becomes format 2', async () => {
    const first = await start(FIRST);
    const { keyId } = await createKey({ kms: first, caller }, {});
    expect(await formatOf(keyId)).toBe(1);
    await rotateKey({ kms: first, caller }, { keyId });
    expect(await formatOf(keyId)).toBe(1);
    expect(await getKey({ kms: older, caller }, { keyId })).toMatchObject({ keyId });
    const changed = await change(newer, keyId, () => ({ fields: { [DESCRIPTION.tag]: 'late' } }));
    expect(changed.mac.format).toBe(2);
    expect(await updateKey({ kms: first, caller }, { keyId, name: 'still format 2' })).toMatchObject({ keyId });
    expect(await formatOf(keyId)).toBe(2);
  });

  it('that is critical keeps a release from acting on the key that does not know it', async () => {
    const keyId = await keyWithFields();
    await change(newer, keyId, ({ fields }) => ({ fields: withField(fields, APPROVAL, 'of two') }));
    expect(await getKey({ kms: newer, caller }, { keyId })).toMatchObject({ keyId });
    const refused = { code: 'INTERNAL_ERROR', message: expect.stringContaining('!approval') };
    await expect(getKey({ kms: older, caller }, { keyId })).rejects.toMatchObject(refused);
    await expect(encrypt({ kms: older, caller }, { keyId, plaintext: randomBytes(8) })).rejects.toMatchObject(refused);
    await expect(updateKey({ kms: older, caller }, { keyId, name: 'x' })).rejects.toMatchObject(refused);
    const alerts: unknown[] = [];
    const { items, warnings } = await listKeys(
      { kms: { ...older, alert: (alert) => alerts.push(alert) }, caller },
      {
        limit: 200,
      },
    );
    expect(items.map((key) => key.keyId)).not.toContain(keyId);
    expect(warnings).toEqual(
      expect.arrayContaining([expect.stringContaining(`the key ${keyId} is of a newer release`)]),
    );
    const { keyId: parentKeyId } = await createKey({ kms: newer, caller }, {});
    await change(newer, keyId, () => ({ parentKeyId }));
    const revocation = { keyId: parentKeyId, reason: 'end_of_life', cascade: true } as const;
    const alerting: Kms = { ...older, alert: (alert) => alerts.push(alert) };
    const left = await revokeKey({ kms: alerting, caller }, revocation);
    expect(left.warnings).toEqual([expect.stringMatching(`${keyId} below it was not revoked: .* newer release`)]);
    // Nobody forged it.
    expect(JSON.stringify(alerts)).not.toContain(keyId);
  });
});

const OF_KEY = `update kms.keys set fields =`;
const WHERE = `where key_id = 'KEY'`;
describe('whoever can only write to the database', () => {
  it.each([
    ['sets the format back', `update kms.keys set mac_format = 1 ${WHERE}`],
    [
      'sets the format back and takes the fields away',
      `${OF_KEY} '{}', mac_format = 1 ${WHERE};
      update kms.key_versions set fields = '{}' ${WHERE}`,
    ],
    ['sets a format that nobody knows', `update kms.keys set mac_format = 3 ${WHERE}`],
    ['drops a field', `${OF_KEY} fields - 'description' ${WHERE}`],
    ['changes a field', `${OF_KEY} jsonb_set(fields, '{description}', '"of payment"') ${WHERE}`],
    [
      'changes the type of a field',
      `update kms.key_versions set fields = jsonb_set(fields, '{validTo}', to_jsonb(fields->>'validTo')) ${WHERE} and version = 2`,
    ],
    ['adds a field', `${OF_KEY} fields || '{"more": null}' ${WHERE}`],
    ['renames a field', `${OF_KEY} jsonb_build_object('descriptions', fields->'description') ${WHERE}`],
    ['makes a field critical', `${OF_KEY} jsonb_build_object('!description', fields->'description') ${WHERE}`],
    ['drops the field of a version', `update kms.key_versions set fields = '{}' ${WHERE} and version = 1`],
    [
      'swaps the fields of two versions',
      `update kms.key_versions v set fields = o.fields from kms.key_versions o
      where v.key_id = 'KEY' and o.key_id = 'KEY' and v.version <> o.version`,
    ],
    [
      'moves a field from a version to the key',
      `${OF_KEY} fields || (select v.fields from kms.key_versions v ${WHERE} and version = 1) ${WHERE};
      update kms.key_versions set fields = '{}' ${WHERE} and version = 1`,
    ],
  ])('and %s has a key that is refused', async (_what, statement) => {
    const keyId = await keyWithFields();
    await asOwner(statement.replaceAll('KEY', keyId));
    for (const node of [newer, older, await start(FIRST)]) {
      await expect(getKey({ kms: node, caller }, { keyId })).rejects.toMatchObject(FORGED);
      await expect(updateKey({ kms: node, caller }, { keyId, name: 'x' })).rejects.toMatchObject(FORGED);
    }
  });

  it.each([
    ['takes a field for a key of format 1', `${OF_KEY} '{"description": "of payments"}' ${WHERE}`],
    [
      'takes a field for a version of a key of format 1',
      `update kms.key_versions set fields = '{"validTo": 1}' ${WHERE}`,
    ],
    ['calls a key of format 1 one of format 2', `update kms.keys set mac_format = 2 ${WHERE}`],
  ])('and %s has a key that is refused', async (_what, statement) => {
    const { keyId } = await createKey({ kms: await start(FIRST), caller }, {});
    await asOwner(statement.replaceAll('KEY', keyId));
    await expect(getKey({ kms: newer, caller }, { keyId })).rejects.toMatchObject(FORGED);
  });

  const OF_TOKEN = `where token_id = 'TOKEN'`;
  it.each([
    ['sets the format back', `update kms.api_tokens set mac_format = 1 ${OF_TOKEN}`],
    [
      'takes the MAC away',
      `update kms.api_tokens set mac_format = 1, mac_tag = null, mac_tmk_version = null, fields = '{}' ${OF_TOKEN}`,
    ],
    ['drops a field', `update kms.api_tokens set fields = '{}' ${OF_TOKEN}`],
    ['sets the format back and drops a field', `update kms.api_tokens set fields = '{}', mac_format = 1 ${OF_TOKEN}`],
    ['changes a field', `update kms.api_tokens set fields = '{"description": "another"}' ${OF_TOKEN}`],
    ['adds a field', `update kms.api_tokens set fields = fields || '{"more": {}}' ${OF_TOKEN}`],
  ])('and %s has a token that is refused', async (_what, statement) => {
    const { token, tokenId } = await tokenWithField();
    expect(await authenticateToken(older, token)).toMatchObject({ tenantId });
    await asOwner(statement.replaceAll('TOKEN', tokenId));
    for (const node of [await start(NEWER), await start(OLDER)]) {
      await expect(authenticateToken(node, token)).rejects.toMatchObject(FORGED);
      expect((await listApiTokens({ kms: node, caller }, { limit: 200 })).warnings).toEqual(
        expect.arrayContaining([expect.stringContaining(tokenId)]),
      );
    }
  });

  const OF_TENANT = `where tenant_id = 'TENANT'`;
  const NO_MAC = `mac_format = 1, mac_tag = null, mac_tmk_version = null`;
  it.each([
    ['takes the MAC away', `update kms.tenants set ${NO_MAC} ${OF_TENANT}`],
    ['takes the MAC and the fields away', `update kms.tenants set ${NO_MAC}, fields = '{}' ${OF_TENANT}`],
    ['sets a format that nobody knows', `update kms.tenants set mac_format = 3 ${OF_TENANT}`],
    ['drops a field', `update kms.tenants set fields = '{}' ${OF_TENANT}`],
    ['adds a field', `update kms.tenants set fields = fields || '{"more": 1}' ${OF_TENANT}`],
    ['gives it another name', `update kms.tenants set name = 'another' ${OF_TENANT}`],
    ['removes the record', `delete from kms.tenants ${OF_TENANT}`],
  ])('and %s has a tenant that is refused', async (_what, statement) => {
    const id = await tenantWithField();
    await (await start(OLDER)).hierarchy.masterKeys(id);
    await asOwner(statement.replaceAll('TENANT', id));
    for (const node of [await start(NEWER), await start(OLDER)])
      await expect(node.hierarchy.masterKeys(id)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
  });

  it('and takes the MAC of a tenant away has a master key that does not open as one of a tenant without', async () => {
    const id = await tenantWithField();
    await asOwner(
      `update kms.tenants set ${NO_MAC}, fields = '{}' ${OF_TENANT}; update kms.tenant_master_key_wraps set format = 1 ${OF_TENANT}`.replaceAll(
        'TENANT',
        id,
      ),
    );
    await expect((await start(NEWER)).hierarchy.masterKeys(id)).rejects.toMatchObject({
      code: 'INTERNAL_ERROR',
      message: expect.stringContaining('The tenant master key cannot be opened'),
    });
  });

  it('and changes the record of a tenant keeps nobody from seeing the others', async () => {
    const [id, other] = [await tenantWithField(), await tenantWithField()];
    await asOwner(`update kms.tenants set name = 'another' ${OF_TENANT}`.replaceAll('TENANT', id));
    const { items, warnings } = await listTenants({ kms: newer, caller: administrator(SYSTEM_TENANT) }, { limit: 200 });
    const listed = items.map((tenant) => tenant.tenantId);
    expect(listed).toContain(other);
    expect(listed).not.toContain(id);
    expect(warnings).toEqual(expect.arrayContaining([expect.stringContaining(`the tenant ${id} failed`)]));
  });
});

/** A token with an optional field. */
async function tokenWithField(): Promise<{ readonly token: string; readonly tokenId: string }> {
  const made = await createApiToken({ kms: newer, caller }, { name: 'ci', role: 'auditor' });
  const authority = await tokenAuthority(newer.hierarchy);
  const record = await store.transact(SYSTEM, (unit) => unit.tokens.get(made.tokenId));
  if (record === undefined) throw new Error('there is no such token');
  const { mac } = authority.sign({ ...record, fields: withField(record.fields, DESCRIPTION, 'of the build') });
  const tag = Buffer.from(mac?.tag ?? []).toString('hex');
  await asOwner(`update kms.api_tokens set fields = fields || '{"description": "of the build"}', mac_tag = '\\x${tag}'
    where token_id = '${made.tokenId}'`);
  return made;
}

/** A tenant with an optional field, without anything in memory. */
async function tenantWithField(): Promise<string> {
  const { tenantId: id } = await createTenant(
    { kms: newer, caller: administrator(SYSTEM_TENANT) },
    { name: 'limited' },
  );
  const authority = new TenantAuthority(await newer.hierarchy.masterKeys(SYSTEM_TENANT));
  const record = await store.transact(SYSTEM, (unit) => unit.tenants.get(id));
  if (record === undefined) throw new Error('there is no such tenant');
  const { mac } = authority.sign({ ...record, fields: withField(record.fields, DESCRIPTION, 'of a limit') });
  const tag = Buffer.from(mac?.tag ?? []).toString('hex');
  await asOwner(`update kms.tenants set fields = '{"description": "of a limit"}', mac_tag = '\\x${tag}'
    where tenant_id = '${id}'`);
  return id;
}

describe('an optional field of a token', () => {
  it('is kept when a release that does not know it revokes the token, and covered before and after', async () => {
    const { token, tokenId } = await tokenWithField();
    await revokeApiToken({ kms: older, caller }, { tokenId });
    await expect(authenticateToken(await start(NEWER), token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    const record = await store.transact(SYSTEM, (unit) => unit.tokens.get(tokenId));
    if (record === undefined) throw new Error('there is no such token');
    expect(fieldOf(record.fields, DESCRIPTION)).toBe('of the build');
    (await tokenAuthority(newer.hierarchy)).verify(record, 'hash');
  });

  it('that is critical keeps a release from letting the token in that does not know it', async () => {
    const { token, tokenId } = await tokenWithField();
    const authority = await tokenAuthority(newer.hierarchy);
    const record = await store.transact(SYSTEM, (unit) => unit.tokens.get(tokenId));
    if (record === undefined) throw new Error('there is no such token');
    const { mac } = authority.sign({ ...record, fields: { [APPROVAL.tag]: 'of two' } });
    await asOwner(`update kms.api_tokens set fields = '{"!approval": "of two"}',
      mac_tag = '\\x${Buffer.from(mac?.tag ?? []).toString('hex')}' where token_id = '${tokenId}'`);
    expect(await authenticateToken(await start(NEWER), token)).toMatchObject({ tenantId });
    await expect(authenticateToken(await start(OLDER), token)).rejects.toMatchObject({
      code: 'INTERNAL_ERROR',
      message: expect.stringContaining('!approval'),
    });
  });

  it('is not there for a token of format 1, which gets format 2 with its revocation', async () => {
    const { tokenId } = await createApiToken({ kms: await start(FIRST), caller }, { name: 'first', role: 'auditor' });
    const read = () => store.transact(SYSTEM, (unit) => unit.tokens.get(tokenId));
    expect(await read()).toMatchObject({ mac: { format: 1 }, fields: {} });
    await revokeApiToken({ kms: newer, caller }, { tokenId });
    const record = await read();
    expect(record).toMatchObject({ mac: { format: 2 }, fields: {}, revokedAt: expect.any(Date) });
    if (record !== undefined) (await tokenAuthority(older.hierarchy)).verify(record, 'hash');
  });
});

describe('a tenant', () => {
  it('of format 1 stays valid, and gets a MAC when it changes', async () => {
    const first = await start(FIRST);
    const { tenantId: id } = await createTenant(
      { kms: first, caller: administrator(SYSTEM_TENANT) },
      { name: 'first' },
    );
    const read = () => store.transact(SYSTEM, (unit) => unit.tenants.get(id));
    expect(await read()).toMatchObject({ mac: null, fields: {} });
    await (await start(NEWER)).hierarchy.masterKeys(id);
    await shredTenant(
      { kms: newer, caller: administrator(id) },
      { tenantId: id, confirmation: `SHRED-${id}`, reason: 'over' },
    );
    const record = await read();
    expect(record).toMatchObject({ state: 'shredded', mac: { format: 2 } });
    if (record !== undefined)
      new TenantAuthority(await newer.hierarchy.masterKeys(SYSTEM_TENANT)).verify(record, false);
  });

  it('keeps its optional fields through a shred by a release that does not know them', async () => {
    const id = await tenantWithField();
    await shredTenant(
      { kms: older, caller: administrator(id) },
      { tenantId: id, confirmation: `SHRED-${id}`, reason: 'over' },
    );
    const record = await store.transact(SYSTEM, (unit) => unit.tenants.get(id));
    if (record === undefined) throw new Error('there is no such tenant');
    expect(fieldOf(record.fields, DESCRIPTION)).toBe('of a limit');
    new TenantAuthority(await newer.hierarchy.masterKeys(SYSTEM_TENANT)).verify(record, false);
    const { warnings } = await listTenants({ kms: older, caller: administrator(SYSTEM_TENANT) }, { limit: 200 });
    expect(warnings?.filter((warning) => warning.includes(id)) ?? []).toEqual([]);
  });
});
