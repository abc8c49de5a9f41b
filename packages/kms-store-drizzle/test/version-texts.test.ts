import type { KeyRecord, KeyVersionRecord, Store } from '@qnsp/kms-core/ports';
import { asTenant, comparable, insertKey, newTenant, sampleKey } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sql } from 'postgres';
import { rawSql } from './raw-sql.ts';

let database: TestDatabase;
let store: Store;
let close: () => Promise<void>;
let owner: Sql;
let tenantId: string;

beforeAll(async () => {
  database = await createDatabase();
  ({ store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
  owner = rawSql(database.url);
  // As somebody does who may write anything: triggers do not bind them.
  await owner.unsafe('set session_replication_role = replica');
  tenantId = await newTenant(store);
});
afterAll(async () => {
  await owner.end();
  await close();
  await database.drop();
});

/** A key whose only version is otherwise than others. */
function keyWith(change: Partial<KeyVersionRecord>): KeyRecord {
  const key = sampleKey(tenantId);
  return { ...key, versions: key.versions.map((version) => ({ ...version, ...change })) };
}

const read = ({ keyId }: KeyRecord) => asTenant(store, tenantId, (unit) => unit.keys.get(keyId));

test.each<readonly [string, Partial<KeyVersionRecord>]>([
  ['separators within optional fields', { fields: { a: 'x\u001ey\u001fz', '!b': [1, null, { c: '-' }] } }],
  ['the first and the last millisecond of a second', { createdAt: new Date('2026-12-31T23:59:59.999Z') }],
  ['an instant before 1970', { createdAt: new Date('1969-12-31T23:59:59.999Z') }],
  ['a public key whose base64 takes several lines', { publicKey: Buffer.alloc(3000, 0xfb) }],
  ['bytes of a handle', { material: { kind: 'resident', handle: Buffer.from('-') } }],
])('a version is read as it was written: %s', async (_what, change) => {
  const key = await insertKey(store, keyWith(change));
  const found = await read(key);
  if (found === undefined) throw new Error('the key is gone');
  expect(comparable(found)).toEqual(comparable(key));
});

/** What is read of a key that somebody spoiled; others are read as if it were not there. */
async function readSpoiled(key: KeyRecord): Promise<readonly KeyVersionRecord[]> {
  const other = await insertKey(store, sampleKey(tenantId));
  const page = await asTenant(store, tenantId, (unit) => unit.keys.list({ limit: 100, after: null }));
  const listed = page.items.find(({ keyId }) => keyId === other.keyId);
  if (listed === undefined) throw new Error('another key was not listed');
  expect(comparable(listed)).toEqual(comparable(other));
  const found = await read(key);
  if (found === undefined) throw new Error('the key is gone');
  expect(page.items.find(({ keyId }) => keyId === key.keyId)?.versions).toEqual(found.versions);
  return found.versions;
}

// No MAC covers a provider with a separator, so a key with such a version is none that the KMS made.
const SPOILED = { provider: expect.stringContaining('\u001f') as string };

test.each(['\u001f', '\u001e', 'a\u001fb\u001ec'])(
  'a separator that somebody wrote into a version spoils that key and no other: %j',
  async (text) => {
    const key = await insertKey(store, sampleKey(tenantId));
    await owner`update kms.key_versions set provider = ${text} where key_id = ${key.keyId}`;
    for (const version of await readSpoiled(key)) expect(version).toMatchObject(SPOILED);
  },
);

test.each<readonly [string, string]>([
  ['fields that are no JSON', '1\u001factive\u001fa\u001fgenerated\u001fp\u001f1\u001f-\u001f-\u001f-\u001f0\u001f{'],
  ['a number that is none', 'x\u001factive\u001fa\u001fgenerated\u001fp\u001f1\u001f-\u001f-\u001f-\u001f0\u001f{}'],
  ['an instant that is none', '1\u001factive\u001fa\u001fgenerated\u001fp\u001f1\u001f-\u001f-\u001f-\u001fx\u001f{}'],
])(
  'a whole version that somebody wrote into the provider of one, with %s, spoils that key and no other',
  async (_what, inner) => {
    const key = await insertKey(store, sampleKey(tenantId));
    const provider = `\u001e${inner}\u001e`;
    await owner`update kms.key_versions set provider = ${provider} where key_id = ${key.keyId}`;
    for (const version of await readSpoiled(key)) expect(version).toMatchObject(SPOILED);
  },
);

test('a separator that makes as many values as a version has does not move them unnoticed', async () => {
  const key = await insertKey(store, sampleKey(tenantId));
  const [version] = key.versions;
  if (version === undefined) throw new Error('the sample has a version');
  await owner`update kms.key_versions set algorithm = ${`${version.algorithm}\u001f${version.origin}`}, origin = 'imported'
    where key_id = ${key.keyId}`;
  for (const found of await readSpoiled(key)) expect(found).toMatchObject(SPOILED);
});
