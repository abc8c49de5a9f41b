import { randomBytes } from 'node:crypto';
import { SYSTEM_TENANT } from '@qnsp/kms-core';
import {
  authenticateToken,
  createApiToken,
  createKey,
  createTenant,
  getApiToken,
  type Kms,
  listApiTokens,
  rotateApiToken,
} from '@qnsp/kms-core/internal';
import { KNOWN_FIELDS, type Store } from '@qnsp/kms-core/ports';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { administrator, fixtureKms } from './migration-fixtures/fixture-kms.ts';
import { rawSql } from './raw-sql.ts';

const FORGED = { code: 'INTERNAL_ERROR', message: expect.stringContaining('failed its integrity check') };

const rootKey = randomBytes(32);
let database: TestDatabase;
let store: Store;
let close: () => Promise<void>;
let sql: Sql;
let kms: Kms;
let caller: ReturnType<typeof administrator>;

beforeAll(async () => {
  database = await createDatabase();
  ({ store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
  sql = rawSql(database.url);
  kms = await fixtureKms(store, rootKey);
  const { tenantId } = await createTenant({ kms, caller: administrator(SYSTEM_TENANT) }, { name: 'acme' });
  caller = administrator(tenantId);
});
afterAll(async () => {
  await sql.end();
  await close();
  await database.drop();
});

/** Tokens that have every field between them: one that was rotated, and the one in its place, which a token created. */
async function tokensWithEveryField() {
  const { keyId } = await createKey({ kms, caller }, {});
  const parent = await createApiToken({ kms, caller }, { name: 'parent', role: 'tenant_admin' });
  const credential = await authenticateToken(kms, parent.token);
  const made = await createApiToken(
    { kms, caller: { ...caller, subject: credential.subject, credential } },
    {
      name: 'x',
      role: 'key_user',
      purpose: 'letters',
      keys: [keyId],
      addresses: ['192.0.2.0/24'],
      rate: 10,
      awsCredentials: true,
    },
  );
  const next = await rotateApiToken({ kms, caller }, { tokenId: made.tokenId });
  return [made, next];
}

it.for(KNOWN_FIELDS.token.flatMap(({ tag }) => [[tag, 'drops'] as const, [tag, 'changes'] as const]))(
  'whoever can only write to the database and, of the field %s, %s it has a token that is refused',
  async ([tag, how]) => {
    const tokens = await tokensWithEveryField();
    let tried = 0;
    for (const { token, tokenId } of tokens) {
      const change =
        how === 'drops' ? sql`fields - ${tag}` : sql`fields || jsonb_build_object(${tag}::text, '["x"]'::jsonb)`;
      const { count } = await sql.begin(async (tx) => {
        await tx`set local session_replication_role = replica`;
        return tx`update kms.api_tokens set fields = ${change} where token_id = ${tokenId} and fields ? ${tag}`;
      });
      if (count === 0) continue;
      tried += 1;
      // A process that starts now: nothing is in memory.
      const node = await fixtureKms(store, rootKey);
      await expect((async () => authenticateToken(node, token))()).rejects.toMatchObject(FORGED);
      await expect(getApiToken({ kms: node, caller }, { tokenId })).rejects.toMatchObject(FORGED);
      await expect(rotateApiToken({ kms: node, caller }, { tokenId })).rejects.toMatchObject(FORGED);
      const { items, warnings } = await listApiTokens({ kms: node, caller }, { limit: 200 });
      expect(items.map((item) => item.tokenId)).not.toContain(tokenId);
      expect(warnings).toEqual(expect.arrayContaining([expect.stringContaining(tokenId)]));
    }
    expect(tried).toBeGreaterThan(0);
  },
);
