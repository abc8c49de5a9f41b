import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  addRoot,
  createTenant,
  KeyHierarchy,
  operationOfService,
  type Kms,
  newId,
  type RootProvider,
  SYSTEM_TENANT,
} from '../src/exports/internal.ts';
import { failableRoot, type FailableRoot, SYSTEM } from '../src/testing/index.ts';
import { failure } from './crypto-samples.ts';
import { callerOf, makeFixture } from './kms-fixture.ts';

const operator = callerOf(SYSTEM_TENANT, null, ['kms:tenants:manage']);

let kms: Kms;
let hsm: FailableRoot;
let onWrap: () => Promise<void>;

beforeEach(async () => {
  hsm = failableRoot('hsm-a', randomBytes(32));
  onWrap = async () => undefined;
  const root: RootProvider = {
    id: hsm.id,
    kind: hsm.kind,
    checkValue: () => hsm.checkValue(),
    unwrap: (wrapped, aad) => hsm.unwrap(wrapped, aad),
    wrap: async (key, aad) => {
      const wrapped = await hsm.wrap(key, aad);
      await onWrap();
      return wrapped;
    },
  };
  ({ kms } = await makeFixture({ root }));
});

describe('a new tenant', () => {
  test('is asked for again when the roots change between its wraps and its record', async () => {
    const other = failableRoot('hsm-b', randomBytes(32));
    const tenantId = newId();
    onWrap = async () => {
      onWrap = async () => undefined;
      const hierarchy = new KeyHierarchy(kms.store, [hsm, other]);
      await addRoot(operationOfService({ ...kms, hierarchy, makeRoot: async () => undefined }, 'addRoot'), {
        providerId: 'hsm-b',
      });
    };
    await expect(createTenant({ kms, caller: operator }, { tenantId, name: 'raced' })).rejects.toThrow(
      failure('CONFLICT'),
    );
    expect(await kms.store.transact(SYSTEM, (unit) => unit.tenants.get(tenantId))).toBeUndefined();
    await expect(createTenant({ kms, caller: operator }, { tenantId, name: 'raced' })).resolves.toMatchObject({
      tenantId,
    });
  });

  test('that was made already is answered from before while no HSM answers', async () => {
    const idempotency = { key: 'once', fingerprint: Buffer.alloc(32, 1) };
    const made = await createTenant({ kms, caller: operator, idempotency }, { name: 'once' });
    hsm.goAway();
    await expect(createTenant({ kms, caller: operator, idempotency }, { name: 'once' })).resolves.toEqual(made);
    await expect(createTenant({ kms, caller: operator }, { name: 'other' })).rejects.toThrow(
      failure('HSM_UNAVAILABLE'),
    );
  });
});
