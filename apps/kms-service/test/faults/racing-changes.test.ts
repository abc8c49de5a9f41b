import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Answer } from '../local-service.ts';
import { expectSoundRows, openAdminSession } from './database-invariants.ts';
import { type ClientRequest, type KmsOnPostgres, startKms } from './kms-on-postgres.ts';

const AT_ONCE = 50;

let database: TestDatabase;
let kms: KmsOnPostgres;
let sql: Sql;

beforeAll(async () => {
  database = await createDatabase();
  kms = await startKms({ databaseUrl: database.url, nodes: 2, timeoutMs: 10_000 });
  sql = openAdminSession(database.url);
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await database.drop();
});

async function createKey(): Promise<{ readonly path: string; readonly keyId: string }> {
  const key = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
  const keyId = String(key.body['keyId']);
  return { path: `/kms/v1/keys/${keyId}`, keyId };
}

/** All at once, half of them to each node. */
function race(requests: readonly ClientRequest[]): Promise<readonly Answer[]> {
  return Promise.all(requests.map((request, index) => kms.call(request, index % 2)));
}

function times(request: ClientRequest): readonly ClientRequest[] {
  return Array<ClientRequest>(AT_ONCE).fill(request);
}

function withStatus(answers: readonly Answer[], status: number): readonly Answer[] {
  return answers.filter((answer) => answer.status === status);
}

test('50 rotations of one key by two processes: each makes its version, without gaps', async () => {
  const { path } = await createKey();
  const answers = await race(times({ method: 'POST', path: `${path}/rotate` }));
  expect(withStatus(answers, 200)).toHaveLength(AT_ONCE);
  const made = answers.map(({ body }) => Number(body['currentVersion'])).toSorted((a, b) => a - b);
  expect(made).toEqual(Array.from({ length: AT_ONCE }, (_, index) => index + 2));
  expect((await kms.call({ method: 'GET', path })).body).toMatchObject({
    state: 'active',
    currentVersion: AT_ONCE + 1,
    revision: AT_ONCE + 1,
  });
  await expectSoundRows(sql);
});

test('50 revocations of one key by two processes: one counts, and it is done for the others', async () => {
  const { path } = await createKey();
  const request = { method: 'POST', path: `${path}/revoke`, body: { reason: 'end_of_life' } };
  const answers = await race(times(request));
  expect(withStatus(answers, 200)).toHaveLength(AT_ONCE);
  expect((await kms.call({ method: 'GET', path })).body).toMatchObject({ state: 'revoked', revision: 2 });
  await expectSoundRows(sql);
});

test('50 destructions of one key by two processes: one counts, and it is done for the others', async () => {
  const { path } = await createKey();
  const answers = await race(times({ method: 'DELETE', path }));
  expect(withStatus(answers, 200)).toHaveLength(AT_ONCE);
  expect((await kms.call({ method: 'GET', path })).body).toMatchObject({ state: 'deactivated', revision: 2 });
  await expectSoundRows(sql);
});

test('rotations of tokens by one process and a cascade by another: the cascade ends all that there is', async () => {
  const TOKENS = '/kms/v1/tokens';
  const bearer = ({ body }: Answer) => ({ authorization: `Bearer ${String(body['token'])}` });
  const create = (headers = {}) =>
    kms.call({ method: 'POST', path: TOKENS, body: { name: 'raced', role: 'tenant_admin' }, headers });
  let overtaken = 0;
  for (let round = 0; round < 10; round += 1) {
    const parent = await create();
    const children = await Promise.all([create(bearer(parent)), create(bearer(parent))]);
    const ids = [parent, ...children].map(({ body }) => String(body['tokenId']));
    const [top = ''] = ids;
    const rotations = ids.map((id, index) =>
      kms.call({ method: 'POST', path: `${TOKENS}/${id}/rotate`, body: {} }, index % 2),
    );
    const cascade = kms.call({ method: 'POST', path: `${TOKENS}/${top}/revoke`, body: { cascade: true } }, 1);
    for (const { status } of await Promise.all(rotations)) {
      expect([201, 409]).toContain(status);
      if (status === 409) overtaken += 1;
    }
    expect((await cascade).status).toBe(200);
    const live = await sql`
      select token_id from kms.api_tokens
      where revoked_at is null and (token_id in ${sql(ids)} or fields ->> '!identity' in ${sql(ids)})`;
    expect(live).toEqual([]);
    // What a rotation gave before the cascade is taken no more either.
    for (const rotated of await Promise.all(rotations)) {
      if (rotated.status !== 201) continue;
      const used = await kms.call({ method: 'GET', path: `${TOKENS}/self`, headers: bearer(rotated) });
      expect(used.status).toBe(401);
    }
  }
  // Some came first, or there was nothing for the cascade to find.
  expect(overtaken).toBeLessThan(30);
});

test('rotations, revocations, destructions and a shred of one key at once end in a legal state', async () => {
  const { path, keyId } = await createKey();
  const kinds: readonly ClientRequest[] = [
    { method: 'POST', path: `${path}/rotate` },
    { method: 'POST', path: `${path}/rotate` },
    { method: 'POST', path: `${path}/revoke`, body: { reason: 'end_of_life' } },
    { method: 'DELETE', path },
    { method: 'POST', path: `${path}/restore` },
  ];
  // Behind a head start of rotations everything meets everything; the shred is last in line.
  const requests = [
    ...times({ method: 'POST', path: `${path}/rotate` }).slice(0, 10),
    ...Array.from({ length: 8 }, () => kinds).flat(),
    { method: 'POST', path: `${path}/shred`, body: { confirmation: `SHRED-${keyId}` } },
  ];
  const answers = await race(requests);
  // CONFLICT: a rotation that saw the key out of service, and found it restored when its turn came.
  const legal = new Set<unknown>([undefined, 'KEY_STATE_INVALID', 'CONFLICT']);
  expect(answers.filter(({ status, body }) => ![200, 409].includes(status) || !legal.has(body['code']))).toEqual([]);
  const done = answers.filter(({ status }) => status === 200);
  // Each change that counted has a revision of its own, and there is none beside them: what was done already has raised none.
  const answered = [...new Set(done.map(({ body }) => Number(body['revision'])))].toSorted((a, b) => a - b);
  // A restoration that came before everything else had nothing to take back.
  const revisions = answered.filter((revision) => revision > 1);
  expect(revisions).toEqual(Array.from({ length: revisions.length }, (_, index) => index + 2));
  const key = (await kms.call({ method: 'GET', path })).body;
  expect(key).toMatchObject({ state: 'destroyed', revision: revisions.length + 1 });
  const rotations = answers.filter(({ status }, index) => status === 200 && requests[index]?.path.endsWith('/rotate'));
  expect(key['currentVersion']).toBe(rotations.length + 1);
  await expectSoundRows(sql);
});

test('of 50 changes with the same If-Match one counts, and 409 tells the others that they lost', async () => {
  const { path } = await createKey();
  const answers = await race(times({ method: 'POST', path: `${path}/rotate`, headers: { 'if-match': '"1"' } }));
  expect(withStatus(answers, 200)).toHaveLength(1);
  expect(answers.filter(({ status, body }) => status === 409 && body['code'] === 'CONFLICT')).toHaveLength(AT_ONCE - 1);
  expect((await kms.call({ method: 'GET', path })).body).toMatchObject({ currentVersion: 2, revision: 2 });
  await expectSoundRows(sql);
});
