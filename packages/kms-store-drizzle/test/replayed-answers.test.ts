import { createHash, randomBytes } from 'node:crypto';
import { type Caller, KmsError, SYSTEM_TENANT } from '@qnsp/kms-core';
import {
  createApiToken,
  createKey,
  createTenant,
  type IdempotencyRequest,
  type Kms,
  revokeApiToken,
  rotateKey,
  shredTenant,
} from '@qnsp/kms-core/internal';
import { newId } from '@qnsp/kms-core/ports';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { administrator, fixtureKms } from './migration-fixtures/fixture-kms.ts';
import { rawSql } from './raw-sql.ts';

interface Row {
  readonly tenant_id: string;
  readonly key: string;
  readonly fingerprint: Buffer;
  readonly answer: Buffer;
  readonly expires_at: Date;
}

/** One call that was made under an idempotency key, and can be repeated. */
interface Call {
  readonly name: string;
  readonly caller: Caller;
  /** The key of the row that keeps its answer. */
  readonly row: string;
  readonly first: unknown;
  /** Makes it again, by another caller or under another key where these are given. */
  readonly repeat: (as?: Caller, key?: string) => Promise<unknown>;
}

let database: TestDatabase;
let close: () => Promise<void>;
let kms: Kms;
let sql: Sql;
const calls: Call[] = [];
let rows: readonly Row[];

const platform = administrator(SYSTEM_TENANT);
const fingerprintOf = (name: string, caller: Caller) =>
  createHash('sha256')
    .update(name + caller.subject)
    .digest();

beforeAll(async () => {
  database = await createDatabase();
  const opened = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
  ({ close } = opened);
  kms = await fixtureKms(opened.store, randomBytes(32));
  sql = rawSql(database.url);
  const make = async (
    name: string,
    caller: Caller,
    work: (caller: Caller, once: IdempotencyRequest) => Promise<unknown>,
  ) => {
    const key = `key of ${name} by ${caller.subject}`;
    const repeat: Call['repeat'] = (as = caller, under = key) =>
      work(as, { key: under, fingerprint: fingerprintOf(name, as) });
    const first = await repeat();
    const row = name === 'shredTenant' ? `${caller.tenantId}/${key}` : key;
    calls.push({ name, caller, row, first, repeat });
  };
  for (const subject of ['one', 'two']) {
    const { tenantId } = await createTenant({ kms, caller: platform }, { name: subject });
    const admin: Caller = { ...administrator(tenantId), subject };
    const { keyId } = await createKey({ kms, caller: admin }, {});
    await make('createKey', admin, (caller, idempotency) => createKey({ kms, caller, idempotency }, { name: 'made' }));
    await make('rotateKey', admin, (caller, idempotency) => rotateKey({ kms, caller, idempotency }, { keyId }));
    await make('createToken', admin, (caller, idempotency) =>
      createApiToken({ kms, caller, idempotency }, { name: 'made', role: 'tenant_admin' }),
    );
    const { tokenId } = await createApiToken({ kms, caller: admin }, { name: 'revoked', role: 'auditor' });
    await make('revokeToken', admin, (caller, idempotency) =>
      revokeApiToken({ kms, caller, idempotency }, { tokenId }),
    );
    const gone = {
      ...administrator((await createTenant({ kms, caller: platform }, { name: 'gone' })).tenantId),
      subject,
    };
    await make('shredTenant', gone, (caller, idempotency) =>
      shredTenant(
        { kms, caller, idempotency },
        { tenantId: gone.tenantId, confirmation: `SHRED-${gone.tenantId}`, reason: 'test' },
      ),
    );
  }
  await make('createTenant', platform, (caller, idempotency) =>
    createTenant({ kms, caller, idempotency }, { name: 'made' }),
  );
  rows = await sql<Row[]>`select * from kms.idempotency_keys order by key`;
}, 600_000);
afterAll(async () => {
  await sql.end();
  await close();
  await database.drop();
});

/** Does something to the rows, looks at what a call answers then, and puts all rows back. */
async function afterwards(change: () => Promise<unknown>, call: () => Promise<unknown>): Promise<unknown> {
  await change();
  try {
    return await call();
  } catch (error) {
    if (KmsError.is(error)) return error;
    throw error;
  } finally {
    await sql`delete from kms.idempotency_keys`;
    await sql`insert into kms.idempotency_keys ${sql(rows.map((row) => ({ ...row })))}`;
  }
}

async function write(row: Row): Promise<void> {
  await sql`
    insert into kms.idempotency_keys ${sql({ ...row })}
    on conflict (tenant_id, key) do update set fingerprint = excluded.fingerprint, answer = excluded.answer, expires_at = excluded.expires_at`;
}

/** Calls that answer the same when what they end has ended. */
const ENDING: ReadonlySet<string> = new Set(['revokeToken', 'shredTenant']);

const answers = () => calls.map(({ first }) => JSON.stringify(first ?? null));

/** What must not come back: the answer to any earlier call, or the token in it. A refusal says why. */
function expectNoReplay(outcome: unknown, what: string): void {
  if (KmsError.is(outcome)) {
    expect([what, outcome.code]).toEqual([
      what,
      // The last two by work that was done anew: what it is about has ended already.
      expect.stringMatching(/^(CONFLICT|IDEMPOTENCY_MISMATCH|NOT_FOUND|KEY_STATE_INVALID)$/),
    ]);
    expect(outcome.message).not.toContain('qnsp_pqc_');
  } else expect([what, answers()]).not.toEqual([what, expect.arrayContaining([JSON.stringify(outcome ?? null)])]);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** Every change of one row, by itself or by what another row holds. */
function changesOf(row: Row): readonly (readonly [string, Partial<Row>])[] {
  const of = (name: string, change: Partial<Row>) => [name, change] as const;
  const at = row.expires_at.getTime();
  // All of the same tenant, and one of each other one.
  const seen = new Set<string>();
  const others = rows.filter((other) => {
    const isNew = other.key !== row.key && (other.tenant_id === row.tenant_id || !seen.has(other.tenant_id));
    seen.add(other.tenant_id);
    return isNew;
  });
  return [
    of('a flipped fingerprint', { fingerprint: flipped(row.fingerprint, 0) }),
    of('a short fingerprint', { fingerprint: row.fingerprint.subarray(1) }),
    ...[0, 3, 4, 15, 16, row.answer.length - 17, row.answer.length - 1].map((byte) =>
      of(`an answer with byte ${byte} flipped`, { answer: flipped(row.answer, byte) }),
    ),
    of('a cut answer', { answer: row.answer.subarray(0, -1) }),
    of('an empty answer', { answer: Buffer.alloc(0) }),
    ...[1, -1, 1000, 86_400_000, -3_600_000].map((more) =>
      of(`expiry moved by ${more} ms`, { expires_at: new Date(at + more) }),
    ),
    of('an expiry in the past', { expires_at: new Date(at - 2 * 86_400_000) }),
    ...others.flatMap((other) => [
      of(`the answer of ${other.key}`, { answer: other.answer }),
      of(`answer and expiry of ${other.key}`, { answer: other.answer, expires_at: other.expires_at }),
      of(`fingerprint of ${other.key}`, { fingerprint: other.fingerprint }),
      of(`all of ${other.key}`, {
        fingerprint: other.fingerprint,
        answer: other.answer,
        expires_at: other.expires_at,
      }),
    ]),
  ];
}

const rowOf = (call: Call): Row => {
  const row = rows.find(({ key }) => key === call.row);
  if (row === undefined) throw new Error(`no row is kept for ${call.row}`);
  return row;
};

describe('the stored answer of an idempotency key', () => {
  it('is replayed to a repeated call, but for one that showed a secret', async () => {
    expect(rows).toHaveLength(calls.length);
    for (const { name, first, repeat } of calls) {
      if (name !== 'createToken') expect(await repeat()).toEqual(first);
      else {
        const { tokenId } = first as { tokenId: string };
        await expect(repeat()).rejects.toMatchObject({
          code: 'CONFLICT',
          message: expect.stringMatching(new RegExp(`${tokenId}.*shown once`)),
          details: { tokenId },
        });
      }
    }
  });

  it('is not replayed when any column of its row was changed, or taken from another row', async () => {
    for (const call of calls) {
      const row = rowOf(call);
      for (const [name, change] of changesOf(row)) {
        const changed = { ...row, ...change };
        let kept: Row | undefined;
        const outcome = await afterwards(
          () => write(changed),
          async () => {
            const answer = await call.repeat();
            [kept] = await sql<Row[]>`
              select * from kms.idempotency_keys where tenant_id = ${changed.tenant_id} and key = ${changed.key}`;
            return answer;
          },
        );
        // What has ended already is answered alike by work that was done anew: then an answer is kept anew, too.
        const isDoneAnew = ENDING.has(call.name) && kept?.answer.equals(changed.answer) === false;
        if (!isDoneAnew) expectNoReplay(outcome, `${call.row}: ${name}`);
      }
    }
  }, 600_000);

  it('is not replayed under another key or to another tenant, when its row was moved there', async () => {
    const move = async (from: Row, to: Pick<Row, 'key' | 'tenant_id'>) => {
      await sql`delete from kms.idempotency_keys where key = ${from.key}`;
      await write({ ...from, key: to.key, tenant_id: to.tenant_id });
    };
    for (const call of calls)
      for (const other of calls) {
        if (call === other) continue;
        const outcome = await afterwards(
          () => move(rowOf(call), rowOf(other)),
          () => other.repeat(),
        );
        expectNoReplay(outcome, `${call.row} as ${other.row}`);
      }
  }, 600_000);

  it('is not replayed to another caller whose own call a writer of the database makes of it', async () => {
    for (const call of calls) {
      const attacker: Caller = { ...call.caller, subject: 'the writer of the database' };
      const row = rowOf(call);
      const key = call.name === 'shredTenant' ? row.key.slice(row.key.indexOf('/') + 1) : row.key;
      for (const own of calls.filter(({ caller }) => caller.tenantId === call.caller.tenantId)) {
        const fingerprint = fingerprintOf(own.name, attacker);
        const outcome = await afterwards(
          () => write({ ...row, fingerprint }),
          () => own.repeat(attacker, key),
        );
        expect([call.row, own.name, outcome]).toEqual([
          call.row,
          own.name,
          expect.objectContaining({ code: 'CONFLICT' }),
        ]);
      }
    }
  });

  it('that a version before this one stored is not shown, and its call is not done again', async () => {
    for (const call of calls) {
      // Its first bytes are the version of the master key, as they were.
      const old = Buffer.concat([rowOf(call).answer.subarray(0, 4), randomBytes(300)]);
      const outcome = await afterwards(
        () => write({ ...rowOf(call), answer: old }),
        () => call.repeat(),
      );
      expect(outcome).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('before the last upgrade') });
    }
  });

  it('with the unkeyed fingerprint of a version before is not shown, and its call is not done again', async () => {
    const state = () => sql`
      select (select count(*) from kms.keys) as keys, (select count(*) from kms.key_versions) as versions,
        (select count(*) from kms.api_tokens) as tokens, (select count(*) from kms.tenants) as tenants`;
    const before = await state();
    for (const call of calls) {
      const unkeyed = { ...rowOf(call), fingerprint: fingerprintOf(call.name, call.caller) };
      const outcome = await afterwards(
        () => write(unkeyed),
        () => call.repeat(),
      );
      expect(outcome).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('before the last upgrade') });
    }
    expect(await state()).toEqual(before);
  });

  it('has a fingerprint beside it by which nobody can tell a guess, or two like requests', async () => {
    for (const call of calls)
      expect(rowOf(call).fingerprint.includes(fingerprintOf(call.name, call.caller)), call.row).toBe(false);
    const admin = administrator(rowOf(calls[0] as Call).tenant_id);
    const fingerprint = randomBytes(32);
    for (const key of ['like one', 'like two'])
      await createKey({ kms, caller: admin, idempotency: { key, fingerprint } }, { name: 'like' });
    const like = await sql<Row[]>`select * from kms.idempotency_keys where key in ('like one', 'like two')`;
    expect(new Set(like.map((row) => row.fingerprint.toString('hex'))).size).toBe(2);
    await sql`delete from kms.idempotency_keys where key in ('like one', 'like two')`;
  });

  it('holds no secret', async () => {
    const token = await createApiToken(
      {
        kms,
        caller: administrator(rowOf(calls[0] as Call).tenant_id),
        idempotency: { key: 'secret', fingerprint: randomBytes(32) },
      },
      { name: 'secret', role: 'auditor' },
    );
    const [row] = await sql<Row[]>`select * from kms.idempotency_keys where key = 'secret'`;
    // Sealed by a stream: as long as what it seals, with 32 bytes around it. The token alone would take 61 more.
    const { token: _secret, ...described } = token;
    expect(row?.answer.length).toBe(JSON.stringify(described).length + 32);
    await sql`delete from kms.idempotency_keys where key = 'secret'`;
  });
});

describe('an idempotency key', () => {
  it('of one tenant is of no meaning to another one, also for calls that end a tenant', async () => {
    const shred = async () => {
      const { tenantId } = await createTenant({ kms, caller: platform }, { name: 'to be shredded' });
      return shredTenant(
        {
          kms,
          caller: { ...administrator(tenantId), subject: newId() },
          idempotency: { key: 'the same for both', fingerprint: randomBytes(32) },
        },
        { tenantId, confirmation: `SHRED-${tenantId}`, reason: 'test' },
      );
    };
    await expect(shred()).resolves.toMatchObject({ state: 'shredded' });
    await expect(shred()).resolves.toMatchObject({ state: 'shredded' });
  });
});
