import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  BOUNDS,
  type Caller,
  type IdempotencyRequest,
  KmsError,
  newId,
  type Operation,
  OPERATIONS,
  PERMISSIONS,
  resolveAlgorithm,
} from '../src/exports/internal.ts';
import * as core from '../src/exports/internal.ts';
import { BOUNDED, type BoundedOperation } from './bounded-operations.ts';
import { UNATTENDED } from './bounded-unattended.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';
import { SealedEvidence } from './sealed-evidence.ts';

let f: Fixture;
const evidence = new SealedEvidence();
/** May do everything, so that nothing but the input is at fault. */
let anybody: Caller;
beforeAll(async () => {
  f = await makeFixture();
  const trail = { requireRoom: () => undefined, record: async () => undefined };
  f = { ...f, kms: { ...f.kms, evidence: { trail, store: evidence } } };
  anybody = { ...f.admin, permissions: new Set(PERMISSIONS) };
});

interface AnyField {
  readonly path?: string | readonly string[];
  readonly inside: readonly unknown[];
  readonly outside: readonly unknown[];
}
type AnyOperation = (op: Operation, input: object) => unknown;

/** The compiler saw to it that each name is an operation and its row has all of its fields. */
const rows = Object.entries(BOUNDED as Readonly<Record<string, unknown>>).map(([name, row]) => ({
  name,
  run: Reflect.get(core, name) as AnyOperation,
  row: row as {
    readonly base: (fixture: Fixture) => Promise<object>;
    readonly fields: Readonly<Record<string, AnyField>>;
  },
}));

/** What an operation answers, or the error that it throws at once or later. */
async function outcome(run: () => unknown): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    return error;
  }
}

function expectBadRequest(answered: unknown, path: string | readonly string[], value?: unknown): void {
  expect(answered, `${String(path)}: ${inspect(value)}`).toBeInstanceOf(KmsError);
  if (!KmsError.is(answered)) return;
  expect({ code: answered.code, message: answered.message }).toMatchObject({ code: 'BAD_REQUEST' });
  const issues = answered.details?.['issues'] as readonly { readonly path: string }[] | undefined;
  expect([path].flat(), inspect(value)).toContain(issues?.[0]?.path.split('.')[0]);
}

/** Nothing that JavaScript may hand over is taken for a value, whatever the type of the field says. */
const NONSENSE: readonly unknown[] = [Number.NaN, Symbol('nonsense'), () => 'nonsense'];

/** A call with one field of its input, or the idempotency of the operation itself, set to a value. */
function withField(input: object, field: string, value: unknown): [Operation, object] {
  const op = { kms: f.kms, caller: anybody };
  // Whatever the value is: that is what is tried.
  if (field === 'idempotency') return [{ ...op, idempotency: value as IdempotencyRequest }, input];
  return [op, { ...input, [field]: value }];
}

describe.each(rows)('$name', ({ run, row }) => {
  const fields = Object.entries(row.fields);

  it('takes what is just inside of each bound', async () => {
    for (const [field, { inside }] of fields) {
      for (const value of inside) {
        const input = await row.base(f);
        const answered = await outcome(() => run(...withField(input, field, value)));
        expect(KmsError.is(answered) ? `${field}: ${answered.message}` : 'taken').toBe('taken');
      }
    }
  });

  it('refuses what is just outside of each bound, and names the field', async () => {
    for (const [field, { outside, path = field }] of fields) {
      for (const value of [...outside, ...NONSENSE]) {
        const input = await row.base(f);
        expectBadRequest(await outcome(() => run(...withField(input, field, value))), path, value);
      }
    }
  });

  it('refuses a caller of a tenant that is no id', async () => {
    for (const tenantId of ['', 'not-a-uuid', newId().toUpperCase()]) {
      const caller = { ...anybody, tenantId };
      const answered = await outcome(async () => run({ kms: f.kms, caller }, await row.base(f)));
      // Another tenant's own check may come first; what must not come is a result, or a fault of the service.
      if (SYSTEM_WIDE.has(run)) continue;
      expect(answered).toBeInstanceOf(KmsError);
      if (KmsError.is(answered)) expect(['BAD_REQUEST', 'TENANT_MISMATCH']).toContain(answered.code);
    }
  });
});

/** These do not look at the caller's tenant: they are the platform's, or have no tenant. */
const SYSTEM_WIDE: ReadonlySet<unknown> = new Set([
  core.listTenants,
  core.createTenant,
  core.updateTenant,
  core.random,
]);

describe.each(Object.entries(UNATTENDED))('%s', (_name, cases) => {
  it('refuses what is outside of its bounds, and names the field', async () => {
    for (const { path, run } of cases.outside) expectBadRequest(await outcome(() => run(f)), path);
  });
});

/** What makes an operation or a verifier, or has others run when they are due, is none itself. */
const NO_OPERATIONS: ReadonlySet<string> = new Set([
  'certificateVerifier',
  'operationOfService',
  'settleCopy',
  'startScheduledWork',
  // They leave what is out of bounds to the operations for one: `together.test.ts`.
  'decryptTogether',
  'encryptTogether',
]);

it('has a row for every operation that an application can import', () => {
  const operations = Object.entries(core)
    .filter(
      ([, value]) =>
        typeof value === 'function' && /^(?:async )?function \w+\((?:op|service|kms|\{ kms)\b/.test(String(value)),
    )
    .map(([name]) => name);
  expect(operations.length).toBeGreaterThan(40);
  expect(new Set([...rows.map(({ name }) => name), ...Object.keys(UNATTENDED)])).toEqual(
    new Set(operations.filter((name) => !NO_OPERATIONS.has(name))),
  );
});

it('tries the idempotency of every operation that changes something', () => {
  const named = (name: string) => name.replace('ApiToken', 'Token');
  const changing = Object.entries(OPERATIONS).flatMap(([name, { permission, changes }]) =>
    changes && permission !== null ? [name] : [],
  );
  const tried = rows.filter(({ row }) => 'idempotency' in row.fields).map(({ name }) => named(name));
  expect(tried.sort()).toEqual(changing.sort());
});

it('destroys nothing early, whatever the waiting period says', async () => {
  for (const pendingDays of [-5, -0.5, 0, 0.5, 91, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_SAFE_INTEGER]) {
    const { keyId } = await core.createKey({ kms: f.kms, caller: f.admin }, {});
    expectBadRequest(
      await outcome(() => core.destroyKey({ kms: f.kms, caller: f.admin }, { keyId, pendingDays })),
      'pendingDays',
    );
    await core.runDueWork(core.operationOfService(f.kms, 'runDueWork'), new AbortController().signal);
    expect((await core.getKey({ kms: f.kms, caller: f.admin }, { keyId })).state).toBe('active');
  }
});

it('holds no key under a second spelling of its id, where its revocation would not find it', async () => {
  const { keyId } = await core.createKey(
    { kms: f.kms, caller: f.admin },
    { algorithm: resolveAlgorithm('AES-256-GCM') },
  );
  const shouted = { keyId: keyId.toUpperCase(), plaintext: Buffer.from('x') };
  expectBadRequest(await outcome(() => core.encrypt({ kms: f.kms, caller: f.admin }, shouted)), 'keyId');
  await core.revokeKey({ kms: f.kms, caller: f.admin }, { keyId, reason: 'end_of_life' });
  expectBadRequest(await outcome(() => core.encrypt({ kms: f.kms, caller: f.admin }, shouted)), 'keyId');
});

it('bounds a whole policy, not only each of its lists', async () => {
  const { keyId } = await core.createKey({ kms: f.kms, caller: f.admin }, {});
  const statement = { effect: 'allow', actions: ['kms:encrypt'], resources: ['*'] } as const;
  const principals = Array.from({ length: BOUNDS.policy.principals }, (_, index) => `${index}`.padEnd(250, 'x'));
  const policy = { version: '1', statements: [{ ...statement, principals }] } as const;
  expectBadRequest(
    await outcome(() => core.putKeyPolicy({ kms: f.kms, caller: f.admin }, { keyId, policy })),
    'policy',
  );
});

// The compiler refuses a table without one of the operations, or without one of its fields.
export type Complete = BoundedOperation;
