import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  applyTombstones,
  authenticateToken,
  createApiToken,
  createIdentityBinding,
  createKey,
  decrypt,
  destroyKey,
  encrypt,
  getKey,
  listIdentityBindings,
  type Kms,
  revokeKey,
  type RevocationReason,
  restoreKey,
  rotateKey,
  runDueWork,
  shredKey,
  suspendKey,
  type Tombstone,
  operationOfService,
} from '../src/exports/internal.ts';
import { softwareResidentKeys } from '../src/testing/index.ts';
import { addTenant, callerOf, type Fixture, makeFixture, promised } from './kms-fixture.ts';

const AT = new Date('2026-05-06T07:08:09.010Z');
type KeyTombstoneState = Extract<Tombstone, { readonly kind: 'key' }>['state'];

describe('a tombstone', () => {
  let fixture: Fixture;
  let kms: Kms;
  let keyId: string;
  const end = (state: KeyTombstoneState, reason: RevocationReason | null = null) =>
    applyTombstones(operationOfService(kms, 'applyTombstones'), [
      { kind: 'key', tenantId: fixture.tenantId, keyId, state, reason, at: AT },
    ]);
  const key = () => getKey({ kms, caller: fixture.admin }, { keyId });
  const record = () => fixture.store.readKey(fixture.tenantId, keyId);

  beforeEach(async () => {
    fixture = await makeFixture();
    ({ kms } = fixture);
    ({ keyId } = await createKey({ kms, caller: fixture.admin }, {}));
  });

  test('ends an active key as it had ended, in an authentic record', async () => {
    await end('suspended');
    expect(await key()).toMatchObject({ state: 'suspended', revision: 2 });
    await end('scheduled');
    expect(await key()).toMatchObject({ state: 'deactivated', revision: 3 });
    expect(await record()).toMatchObject({ destroyAt: AT, stateBeforeDestroy: 'suspended' });
    await end('revoked', 'policy_violation');
    expect(await key()).toMatchObject({ state: 'revoked', revision: 4 });
    expect(await record()).toMatchObject({ revocation: { reason: 'policy_violation', at: AT } });
    await end('destroyed');
    expect(await key()).toMatchObject({ state: 'destroyed', revision: 5 });
    expect((await record())?.versions.map(({ material }) => material)).toEqual([{ kind: 'none' }]);
  });

  test('takes a destruction back that had been taken back', async () => {
    await suspendKey({ kms, caller: fixture.admin }, { keyId });
    await destroyKey({ kms, caller: fixture.admin }, { keyId });
    await end('restored');
    expect(await record()).toMatchObject({
      state: 'suspended',
      destroyAt: null,
      stateBeforeDestroy: null,
      revision: 4,
    });
    await end('restored');
    expect(await record()).toMatchObject({ revision: 4 });
    await end('destroyed');
    await end('restored');
    expect(await key()).toMatchObject({ state: 'destroyed' });
  });

  test('of a revocation whose reason is not known has the reason that asks for the most care', async () => {
    await end('revoked');
    expect(await record()).toMatchObject({ revocation: { reason: 'suspected_compromise' } });
  });

  test('changes nothing of a key that has ended as far already', async () => {
    const { admin } = fixture;
    const ended: readonly (readonly [() => Promise<unknown>, readonly KeyTombstoneState[]])[] = [
      [() => suspendKey({ kms, caller: admin }, { keyId }), ['suspended']],
      [() => destroyKey({ kms, caller: admin }, { keyId }), ['suspended', 'scheduled']],
      [
        () => revokeKey({ kms, caller: admin }, { keyId, reason: 'end_of_life' }),
        ['suspended', 'scheduled', 'revoked'],
      ],
      [
        () => shredKey({ kms, caller: admin }, { keyId, confirmation: `SHRED-${keyId}` }),
        ['suspended', 'scheduled', 'revoked', 'destroyed'],
      ],
    ];
    for (const [change, states] of ended) {
      await change();
      const before = await record();
      for (const state of states) await end(state);
      expect(await record()).toEqual(before);
    }
  });

  describe('of a key with versions in an HSM', () => {
    const hsm = softwareResidentKeys('hsm-a');
    const data = Buffer.from('data');
    let ciphertext: Uint8Array;
    const dueWork = () => runDueWork(operationOfService(kms, 'runDueWork'), new AbortController().signal);

    beforeEach(async () => {
      fixture = await makeFixture({ resident: [hsm] });
      ({ kms } = fixture);
      ({ keyId } = await createKey({ kms, caller: fixture.admin }, { protectionLevel: 'hsm' }));
      ({ ciphertext } = await encrypt({ kms, caller: fixture.admin }, { keyId, plaintext: data }));
      await rotateKey({ kms, caller: fixture.admin }, { keyId });
      expect(hsm.size).toBe(2);
    });

    test('condemns it though its HSM is away, and scheduled work destroys its objects', async () => {
      hsm.goAway();
      await end('destroyed');
      const condemned = await record();
      expect(condemned).toMatchObject({ state: 'deactivated' });
      const refused = { code: 'KEY_STATE_INVALID' };
      await expect(
        promised(() => encrypt({ kms, caller: fixture.admin }, { keyId, plaintext: data })),
      ).rejects.toMatchObject(refused);
      await expect(promised(() => decrypt({ kms, caller: fixture.admin }, { ciphertext }))).rejects.toMatchObject(
        refused,
      );
      await expect(restoreKey({ kms, caller: fixture.admin }, { keyId })).rejects.toMatchObject(refused);
      for (const state of ['destroyed', 'scheduled', 'suspended'] as const) await end(state);
      expect(await record()).toEqual(condemned);
      expect((await dueWork()).failed).toHaveLength(1);
      expect(await key()).toMatchObject({ state: 'deactivated' });

      hsm.comeBack();
      expect(hsm.size).toBe(2);
      expect(await dueWork()).toMatchObject({ destroyed: 1, failed: [] });
      expect(hsm.size).toBe(0);
      expect(await key()).toMatchObject({ state: 'destroyed' });
      expect((await record())?.versions.map(({ material }) => material)).toEqual([{ kind: 'none' }, { kind: 'none' }]);
      await end('destroyed');
      expect(await dueWork()).toMatchObject({ destroyed: 0, failed: [] });
    });

    test('condemns one that was shredded while its HSM was away and whose waiting period runs in the copy', async () => {
      await destroyKey({ kms, caller: fixture.admin }, { keyId });
      await end('scheduled');
      await expect(restoreKey({ kms, caller: fixture.admin }, { keyId })).rejects.toMatchObject({
        code: 'KEY_STATE_INVALID',
      });
      expect(await dueWork()).toMatchObject({ destroyed: 1, failed: [] });
      expect(hsm.size).toBe(0);
    });

    test('leaves a waiting period alone that is not over', async () => {
      await destroyKey({ kms, caller: fixture.admin }, { keyId });
      const before = await record();
      const at = new Date(Date.now() + 60_000);
      await applyTombstones(operationOfService(kms, 'applyTombstones'), [
        { kind: 'key', tenantId: fixture.tenantId, keyId, state: 'scheduled', reason: null, at },
      ]);
      expect(await record()).toEqual(before);
      expect(await dueWork()).toMatchObject({ destroyed: 0 });
      await restoreKey({ kms, caller: fixture.admin }, { keyId });
    });
  });

  test('removes a binding of an identity, once', async () => {
    const admin = { kms, caller: fixture.admin };
    const input = { issuer: 'https://issuer.example', match: { sub: 'orders' }, role: 'auditor' } as const;
    const [gone, staying] = [await createIdentityBinding(admin, input), await createIdentityBinding(admin, input)];
    const { tenantId } = fixture;
    for (let round = 0; round < 2; round += 1)
      await applyTombstones(operationOfService(kms, 'applyTombstones'), [
        { kind: 'identity', tenantId, bindingId: gone.bindingId },
        { kind: 'identity', tenantId, bindingId: randomUUID() },
      ]);
    expect((await listIdentityBindings(admin, {})).items).toEqual([staying]);
    await applyTombstones(operationOfService(kms, 'applyTombstones'), [
      { kind: 'tenant', tenantId },
      { kind: 'identity', tenantId, bindingId: staying.bindingId },
    ]);
  });

  test('shreds a tenant with its tokens, and revokes a token', async () => {
    const other = randomUUID();
    await addTenant(kms, other);
    const [own, others] = await Promise.all([
      createApiToken({ kms, caller: fixture.admin }, { name: 'own', role: 'auditor' }),
      createApiToken({ kms, caller: callerOf(other, 'tenant_admin') }, { name: 'of the other', role: 'auditor' }),
    ]);
    await applyTombstones(operationOfService(kms, 'applyTombstones'), [
      { kind: 'tenant', tenantId: other },
      { kind: 'token', tokenId: own.tokenId },
    ]);
    await expect(kms.hierarchy.masterKeys(other)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const { token } of [own, others])
      await expect(authenticateToken(kms, token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });
});
