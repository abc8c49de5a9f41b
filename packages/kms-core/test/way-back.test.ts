import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Caller,
  createKey,
  deleteKeyPolicy,
  destroyKey,
  encrypt,
  getKey,
  getKeyPolicy,
  type Kms,
  KmsError,
  newId,
  PERMISSIONS,
  type PolicyDocument,
  type PolicyStatement,
  putKeyPolicy,
  restoreKey,
  revokeKey,
  shredKey,
} from '../src/exports/internal.ts';
import { callerOf, type Fixture, makeFixture, promised } from './kms-fixture.ts';

const everything: PolicyStatement = { effect: 'deny', actions: ['*'], resources: ['*'] };
const locked: PolicyDocument = { version: '1', statements: [everything] };

async function refusal(attempt: Promise<unknown>): Promise<KmsError> {
  try {
    await attempt;
  } catch (error) {
    if (KmsError.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  return (await refusal(attempt)).code;
}

/** The administrator's ways to end a key, each of which must work whatever its policy says. */
const WAYS: Readonly<Record<string, (kms: Kms, admin: Caller, keyId: string) => Promise<unknown>>> = {
  'remove the policy': async (kms, admin, keyId) => {
    await deleteKeyPolicy({ kms, caller: admin }, { keyId });
    expect(await getKeyPolicy({ kms, caller: admin }, { keyId })).toBeNull();
    await encrypt({ kms, caller: admin }, { keyId, plaintext: Buffer.from('used again') });
  },
  revoke: (kms, admin, keyId) => revokeKey({ kms, caller: admin }, { keyId, reason: 'policy_violation' }),
  'schedule its destruction and take it back': async (kms, admin, keyId) => {
    await destroyKey({ kms, caller: admin }, { keyId });
    await restoreKey({ kms, caller: admin }, { keyId });
  },
  shred: (kms, admin, keyId) => shredKey({ kms, caller: admin }, { keyId, confirmation: `SHRED-${keyId}` }),
};

const action = fc.constantFrom(
  '*',
  'kms:*',
  'kms:keys:*',
  'kms:keys:policy',
  'kms:keys:delete',
  'kms:keys:read',
  'kms:encrypt',
);
const conditions = fc.record(
  {
    mfa: fc.boolean(),
    ip: fc.constantFrom(['0.0.0.0/0', '::/0'], ['10.0.0.0/8'], ['127.0.0.1']),
    time: fc.constantFrom({ notBefore: '2000-01-01T00:00:00Z' }, { notAfter: '2000-01-01T00:00:00Z' }),
  },
  { requiredKeys: [] },
);

describe('the way back from a policy', () => {
  it.each(Object.entries(WAYS))(
    'is open to administrators under any sequence of policies by anybody: %s',
    async (_, way) => {
      const f = await makeFixture();
      const people = [
        f.admin,
        callerOf(f.tenantId, 'key_admin'),
        callerOf(f.tenantId, null, ['kms:keys:create', 'kms:keys:policy']),
      ];
      const principal = fc.constantFrom('*', f.admin.subject, ...people.map(({ subject }) => subject));
      const policy = fc.record({
        version: fc.constant('1' as const),
        statements: fc.array(
          fc.record(
            {
              effect: fc.constantFrom('allow' as const, 'deny' as const),
              actions: fc.array(action, { minLength: 1, maxLength: 3 }),
              resources: fc.constant(['*']),
              principals: fc.array(principal, { minLength: 1, maxLength: 2 }),
              conditions,
            },
            { requiredKeys: ['effect', 'actions', 'resources'] },
          ),
          { maxLength: 4 },
        ),
      });
      const steps = fc.array(fc.tuple(fc.constantFrom(...people), policy), { minLength: 1, maxLength: 4 });
      let changed = 0;
      await fc.assert(
        fc.asyncProperty(fc.option(policy), steps, async (atCreation, changes) => {
          const made = await createKey(
            { kms: f.kms, caller: f.admin },
            { policy: grantable(f.admin, atCreation), allowLockout: true },
          );
          const { keyId } = made;
          for (const [by, next] of changes) {
            try {
              await putKeyPolicy({ kms: f.kms, caller: by }, { keyId, policy: next, allowLockout: true });
              changed += 1;
            } catch (error) {
              // Whoever may not do that does not; what counts is what the others can do afterwards.
              if (!KmsError.is(error) || error.code !== 'FORBIDDEN') throw error;
            }
          }
          await way(f.kms, f.admin, keyId);
        }),
        { numRuns: 150 },
      );
      expect(changed).toBeGreaterThan(50);
    },
  );

  it('is not open to anybody else', async () => {
    const f = await makeFixture();
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, { policy: locked, allowLockout: true });
    const nearly = PERMISSIONS.filter((permission) => permission !== 'kms:audit:read');
    for (const caller of [callerOf(f.tenantId, 'key_admin'), callerOf(f.tenantId, null, nearly)]) {
      expect(await codeOf(deleteKeyPolicy({ kms: f.kms, caller }, { keyId }))).toBe('FORBIDDEN');
      expect(await codeOf(revokeKey({ kms: f.kms, caller }, { keyId, reason: 'end_of_life' }))).toBe('FORBIDDEN');
      expect(await codeOf(destroyKey({ kms: f.kms, caller }, { keyId }))).toBe('FORBIDDEN');
    }
  });

  it('is no way to use a key, nor to read it', async () => {
    const f = await makeFixture();
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, { policy: locked, allowLockout: true });
    expect(
      await codeOf(promised(() => encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext: Buffer.from('x') }))),
    ).toBe('FORBIDDEN');
    expect(await codeOf(getKey({ kms: f.kms, caller: f.admin }, { keyId }))).toBe('FORBIDDEN');
  });
});

/** Nobody grants what they do not hold, the administrator `kms:tenants:manage` among it. */
function grantable(caller: Caller, policy: PolicyDocument | null): PolicyDocument | null {
  const isOwn = ({ effect, actions }: PolicyStatement) =>
    effect === 'deny' || actions.every((one) => one !== '*' && one !== 'kms:*' && caller.permissions.size > 0);
  return policy && { ...policy, statements: policy.statements.filter(isOwn) };
}

describe('setting a policy', () => {
  it('takes kms:keys:policy at the creation of a key, too', async () => {
    const f = await makeFixture();
    const creator = callerOf(f.tenantId, null, ['kms:keys:create']);
    await createKey({ kms: f.kms, caller: creator }, {});
    for (const policy of [locked, { version: '1', statements: [] } as const])
      expect(await codeOf(createKey({ kms: f.kms, caller: creator }, { policy, allowLockout: true }))).toBe(
        'FORBIDDEN',
      );
  });

  it('refuses one that locks out its writer, now or for ever later, unless they insist', async () => {
    const f = await makeFixture();
    const keyAdmin = callerOf(f.tenantId, 'key_admin');
    const later = '2999-01-01T00:00:00Z';
    const locking: readonly PolicyStatement[] = [
      everything,
      { ...everything, actions: ['kms:keys:*'] },
      { ...everything, actions: ['kms:keys:policy'], principals: [keyAdmin.subject] },
      { ...everything, conditions: { mfa: false } },
      { ...everything, conditions: { ip: ['127.0.0.0/8'] } },
      { ...everything, conditions: { time: { notBefore: later } } },
      { ...everything, conditions: { time: { notAfter: later } } },
    ];
    for (const statement of locking) {
      const policy = { version: '1', statements: [statement] } as const;
      const { keyId } = await createKey({ kms: f.kms, caller: keyAdmin }, {});
      const refused = await refusal(putKeyPolicy({ kms: f.kms, caller: keyAdmin }, { keyId, policy }));
      expect(refused.code).toBe('BAD_REQUEST');
      expect(refused.message).toMatch(/^policy: .*allowLockout/);
      expect(await codeOf(createKey({ kms: f.kms, caller: keyAdmin }, { policy }))).toBe('BAD_REQUEST');
      await putKeyPolicy({ kms: f.kms, caller: keyAdmin }, { keyId, policy, allowLockout: true });
      await createKey({ kms: f.kms, caller: keyAdmin }, { policy, allowLockout: true });
    }
  });

  it('takes one that locks out others, or its writer for a time that ends', async () => {
    const f = await makeFixture();
    const freeze = { notBefore: '2999-01-01T00:00:00Z', notAfter: '2999-02-01T00:00:00Z' };
    for (const statement of [
      { ...everything, principals: [newId()] },
      { ...everything, actions: ['kms:encrypt'] },
      { ...everything, conditions: { ip: ['10.0.0.0/8'] } },
      { ...everything, conditions: { time: freeze } },
    ]) {
      const policy = { version: '1', statements: [statement] } as const;
      const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, { policy });
      await putKeyPolicy({ kms: f.kms, caller: f.admin }, { keyId, policy });
    }
  });
});

describe('revoking a key with what is below it', () => {
  async function tree(f: Fixture) {
    const top = await createKey({ kms: f.kms, caller: f.admin }, {});
    const below = (policy: PolicyDocument | null, parentKeyId = top.keyId) =>
      createKey({ kms: f.kms, caller: f.admin }, { parentKeyId, policy, allowLockout: true });
    return { top: top.keyId, below };
  }
  const stateOf = async (f: Fixture, keyId: string) => (await f.kms.store.readKey(f.tenantId, keyId))?.state;

  it('revokes the key and all others, whatever may not be touched, and names that', async () => {
    const f = await makeFixture();
    const keyAdmin = callerOf(f.tenantId, 'key_admin');
    const { top, below } = await tree(f);
    const protectedFromDeletion = {
      version: '1',
      statements: [{ ...everything, actions: ['kms:keys:delete'] }],
    } as const;
    const [free, kept, hidden] = [await below(null), await below(protectedFromDeletion), await below(locked)];
    const grandchild = await below(null, kept.keyId);
    const { state, warnings } = await revokeKey(
      { kms: f.kms, caller: keyAdmin },
      {
        keyId: top,
        reason: 'suspected_compromise',
        cascade: true,
      },
    );
    expect(state).toBe('revoked');
    expect(await stateOf(f, top)).toBe('revoked');
    expect(await stateOf(f, free.keyId)).toBe('revoked');
    expect(await stateOf(f, grandchild.keyId)).toBe('revoked');
    expect(await stateOf(f, kept.keyId)).toBe('active');
    expect(await stateOf(f, hidden.keyId)).toBe('active');
    expect(warnings?.join('\n')).toContain(kept.keyId);
    // Its existence is all that may be told of a key that the caller may not read.
    expect(warnings?.join('\n')).not.toContain(hidden.keyId);
    expect(warnings).toHaveLength(2);
    // The administrator goes on from there.
    const again = await revokeKey(
      { kms: f.kms, caller: f.admin },
      { keyId: top, reason: 'suspected_compromise', cascade: true },
    );
    expect(again.warnings).toBeUndefined();
    for (const { keyId } of [kept, hidden]) expect(await stateOf(f, keyId)).toBe('revoked');
  });

  it('revokes the key and all others beside a record that somebody changed, and tells the operator', async () => {
    const f = await makeFixture();
    const alerts: string[] = [];
    const kms: Kms = {
      ...f.kms,
      alert: ({ kind }) => {
        alerts.push(kind);
      },
    };
    const { top, below } = await tree(f);
    const [forged, free] = [await below(null), await below(null)];
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, async (unit) => {
      const record = await unit.keys.get(forged.keyId, { lock: true });
      if (record === undefined) throw new Error('the key is gone');
      await unit.keys.update({ ...record, name: 'forged', revision: record.revision + 1 }, record.revision);
    });
    const { state, warnings } = await revokeKey(
      { kms, caller: f.admin },
      { keyId: top, reason: 'end_of_life', cascade: true },
    );
    expect(state).toBe('revoked');
    expect(await stateOf(f, free.keyId)).toBe('revoked');
    expect(warnings).toEqual([expect.stringContaining(forged.keyId)]);
    expect(alerts).toEqual(['record-forged']);
  });

  it('goes through more keys than one unit of work takes', async () => {
    const f = await makeFixture();
    const { top, below } = await tree(f);
    const children = [];
    for (let index = 0; index < 120; index += 1) children.push((await below(null)).keyId);
    const { warnings } = await revokeKey(
      { kms: f.kms, caller: f.admin },
      { keyId: top, reason: 'end_of_life', cascade: true },
    );
    expect(warnings).toBeUndefined();
    for (const keyId of children) expect(await stateOf(f, keyId)).toBe('revoked');
  });
});
