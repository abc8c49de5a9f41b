import { edgeUnderTest } from '@qnsp/http-edge/testing';
import { type Caller, KmsError, OPERATIONS, type Permission, PERMISSIONS } from '@qnsp/kms-core';
import { deleteKeyPolicy, KeyRing, type Operation, putKeyPolicy, rotateKey, suspendKey } from '@qnsp/kms-core/internal';
import { SILENT_FEED } from '@qnsp/kms-core/ports';
import { beforeEach, describe, expect, test } from 'vitest';
import { shownChange } from '../src/handlers/shown-change.ts';

const { permission: READ } = OPERATIONS.getKey;

let under: Awaited<ReturnType<typeof edgeUnderTest>>;
let op: Operation;
beforeEach(async () => {
  under = await edgeUnderTest();
  op = { kms: under.edge.kms, caller: callerWith(PERMISSIONS) };
});

function callerWith(permissions: readonly Permission[]): Caller {
  const { tenantId } = under;
  return { tenantId, subject: 'somebody', permissions: new Set(permissions), attributes: { ip: null, mfa: false } };
}

describe('a change of a key', () => {
  test('answers the key to who may read it, even where nothing can be read after the commit', async () => {
    const { kms } = op;
    const lost = () => Promise.reject(new KmsError('STORE_UNAVAILABLE', 'The store went away.'));
    const store = { ...kms.store, transact: kms.store.transact.bind(kms.store), readKey: lost };
    const keyRing = new KeyRing(store, kms.hierarchy, { feed: SILENT_FEED });
    const answer = await shownChange({ ...op, kms: { ...kms, keyRing } }, (told) =>
      suspendKey(told, { keyId: under.keyId }),
    );
    expect(answer).toMatchObject({ keyId: under.keyId, name: 'letters', state: 'suspended' });
  });

  test('answers to everybody else that it was made, also when it is asked for again', async () => {
    const caller = callerWith(PERMISSIONS.filter((one) => one !== READ));
    const idempotency = { key: 'once', fingerprint: Buffer.alloc(32) };
    for (let repeated = 0; repeated < 2; repeated += 1)
      expect(
        await shownChange({ ...op, caller, idempotency }, (told) => rotateKey(told, { keyId: under.keyId })),
      ).toEqual({ keyId: under.keyId, tenantId: under.tenantId, changed: true });
    // The answer that is kept is the whole one: who may read the key by now gets it.
    expect(await shownChange({ ...op, idempotency }, (told) => rotateKey(told, { keyId: under.keyId }))).toMatchObject({
      currentVersion: 2,
    });
  });

  test('is shown by the policy that it leaves, not by the one before', async () => {
    const { keyId } = under;
    const denyRead = {
      version: '1' as const,
      statements: [{ effect: 'deny' as const, actions: [READ], resources: ['*'], principals: ['somebody'] }],
    };
    const hidden = await shownChange(op, (told) => putKeyPolicy(told, { keyId, policy: denyRead }));
    expect(hidden).toEqual({ keyId, tenantId: under.tenantId, changed: true });
    expect(await shownChange(op, (told) => deleteKeyPolicy(told, { keyId }))).toMatchObject({ keyId, name: 'letters' });
  });

  test('that no unit of work was asked about is not shown', async () => {
    const key = await suspendKey(op, { keyId: under.keyId });
    expect(await shownChange(op, async () => key)).toEqual({
      keyId: under.keyId,
      tenantId: under.tenantId,
      changed: true,
    });
  });
});
