import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Caller,
  createApiToken,
  type CreateApiTokenInput,
  callerOf as callerBy,
  createKey,
  createTenant,
  decideApproval,
  deleteKeyPolicy,
  destroyKey,
  authenticateToken,
  getApproval,
  getKey,
  installPlatformToken,
  KmsError,
  listApprovals,
  newId,
  operationOfService,
  putKeyPolicy,
  retireVersions,
  rotateKey,
  rotateMasterKey,
  shredKey,
  shredTenant,
  SYSTEM_TENANT,
  updateKey,
  updateTenant,
} from '../src/exports/internal.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

const HOUR_MS = 60 * 60_000;
const OPEN = { version: '1', statements: [] } as const;

/** The id of the request that a call waits for. */
async function waitsFor(call: Promise<unknown>): Promise<string> {
  const refusal = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(refusal).toMatchObject({ code: 'APPROVAL_REQUIRED' });
  return KmsError.is(refusal) ? String(refusal.details?.['approvalId']) : '';
}

/** Callers of one tenant who have nothing to do with one another. */
async function company() {
  const f = await makeFixture();
  const [ann, bob, cyd] = [1, 2, 3].map(() => ({ kms: f.kms, caller: callerOf(f.tenantId, 'tenant_admin') }));
  if (ann === undefined || bob === undefined || cyd === undefined) throw new Error('there are three');
  return { f, ann, bob, cyd };
}

/** A token of the fixture's tenant, as a caller. */
async function tokenOf({ kms }: Fixture, caller: Caller, input: Partial<CreateApiTokenInput> = {}): Promise<Caller> {
  const { token } = await createApiToken({ kms, caller }, { name: 'token', role: 'tenant_admin', ...input });
  return callerBy(await authenticateToken(kms, token), caller.tenantId, '127.0.0.1');
}

describe('a call that waits for approvals', () => {
  it('is done by the same call once as many others have approved it, and only once', async () => {
    const { f, ann, bob, cyd } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 2 });
    const shred = { keyId, confirmation: `SHRED-${keyId}` };
    const approvalId = await waitsFor(shredKey(ann, shred));
    expect(await waitsFor(shredKey(ann, shred))).toBe(approvalId);
    const first = await decideApproval(bob, { approvalId, decision: 'approve' });
    expect(first).toMatchObject({ state: 'pending', approved: 1, required: 2, operation: 'shredKey', request: shred });
    expect(await waitsFor(shredKey(ann, shred))).toBe(approvalId);
    await decideApproval(cyd, { approvalId, decision: 'approve' });
    expect((await getKey(ann, { keyId })).state).toBe('active');
    expect((await shredKey(ann, shred)).state).toBe('destroyed');
    expect(await getApproval(ann, { approvalId })).toMatchObject({ state: 'executed', approved: 2 });
    const late = decideApproval(
      { kms: f.kms, caller: callerOf(f.tenantId, 'tenant_admin') },
      { approvalId, decision: 'approve' },
    );
    await expect(late).rejects.toMatchObject({ code: 'CONFLICT', details: { state: 'executed' } });
  });

  it('is bound to exactly what was asked for, and by whom', async () => {
    const { ann, bob } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 1 });
    const approvalId = await waitsFor(destroyKey(ann, { keyId, pendingDays: 30 }));
    await decideApproval(bob, { approvalId, decision: 'approve' });
    expect(await waitsFor(destroyKey(ann, { keyId, pendingDays: 1 }))).not.toBe(approvalId);
    expect(await waitsFor(destroyKey(bob, { keyId, pendingDays: 30 }))).not.toBe(approvalId);
    expect((await destroyKey(ann, { keyId, pendingDays: 30 })).state).toBe('deactivated');
  });

  it('asks for nothing that would be refused all the same', async () => {
    const { ann } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 1 });
    await expect(shredKey(ann, { keyId, confirmation: 'SHRED' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    const old = destroyKey(ann, { keyId, ifRevision: 9 });
    await expect(old).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await listApprovals(ann, {})).items).toEqual([]);
  });

  it('is one that ends versions of a key, at once or with the next rotation', async () => {
    const { f, ann, bob } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 1, rotation: { retainVersions: 3 } });
    const retain = (retainVersions: number | null) => updateKey(ann, { keyId, rotation: { retainVersions } });
    expect((await retain(4)).rotation.retainVersions).toBe(4);
    expect((await retain(null)).rotation.retainVersions).toBe(null);
    const approvalId = await waitsFor(retain(1));
    await decideApproval(bob, { approvalId, decision: 'approve' });
    expect((await retain(1)).rotation.retainVersions).toBe(1);
    const other = await createKey(ann, { requireApproval: 1 });
    await rotateKey(ann, { keyId: other.keyId });
    f.advance(10 * 24 * HOUR_MS);
    const retire = () => retireVersions(ann, { keyId: other.keyId, olderThanDays: 1 });
    await decideApproval(bob, { approvalId: await waitsFor(retire()), decision: 'approve' });
    expect((await retire()).versions.map(({ state }) => state)).toEqual(['deactivated', 'active']);
  });

  it('is not approved by who made the request, nor twice by one', async () => {
    const { ann, bob } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 2 });
    const approvalId = await waitsFor(destroyKey(ann, { keyId }));
    const own = decideApproval(ann, { approvalId, decision: 'approve' });
    await expect(own).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await decideApproval(bob, { approvalId, decision: 'approve' });
    expect(await decideApproval(bob, { approvalId, decision: 'approve' })).toMatchObject({ approved: 1 });
    const without = { ...bob, caller: callerOf(bob.caller.tenantId, 'key_admin') };
    await expect(decideApproval(without, { approvalId, decision: 'approve' })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  it('is over when one refuses it, who made it withdraws it, or its time is over', async () => {
    const { f, ann, bob, cyd } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 1 });
    const refused = await waitsFor(destroyKey(ann, { keyId }));
    await decideApproval(bob, { approvalId: refused, decision: 'refuse' });
    const late = decideApproval(cyd, { approvalId: refused, decision: 'approve' });
    await expect(late).rejects.toMatchObject({ code: 'CONFLICT', details: { state: 'refused' } });
    const withdrawn = await waitsFor(destroyKey(ann, { keyId }));
    expect(withdrawn).not.toBe(refused);
    const others = decideApproval(bob, { approvalId: withdrawn, decision: 'withdraw' });
    await expect(others).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await decideApproval(ann, { approvalId: withdrawn, decision: 'withdraw' });
    const expired = await waitsFor(destroyKey(ann, { keyId }));
    await decideApproval(bob, { approvalId: expired, decision: 'approve' });
    f.advance(72 * HOUR_MS);
    const after = decideApproval(cyd, { approvalId: expired, decision: 'approve' });
    await expect(after).rejects.toMatchObject({ code: 'CONFLICT', details: { state: 'expired' } });
    expect(await waitsFor(destroyKey(ann, { keyId }))).not.toBe(expired);
    expect((await listApprovals(ann, {})).items.map(({ state }) => state)).toEqual([
      'pending',
      'expired',
      'withdrawn',
      'refused',
    ]);
  });

  it('is a change of a policy, and whatever takes the protection away', async () => {
    const { ann, bob } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 1, destroyGuardDays: 5 });
    await waitsFor(putKeyPolicy(ann, { keyId, policy: OPEN }));
    await waitsFor(deleteKeyPolicy(ann, { keyId }));
    await waitsFor(updateKey(ann, { keyId, destroyGuardDays: 4 }));
    expect((await updateKey(ann, { keyId, requireApproval: 2 })).requireApproval).toBe(2);
    const approvalId = await waitsFor(updateKey(ann, { keyId, requireApproval: null }));
    expect(await getApproval(ann, { approvalId })).toMatchObject({ required: 2 });
    await decideApproval(bob, { approvalId, decision: 'approve' });
    await waitsFor(updateKey(ann, { keyId, requireApproval: null }));
  });

  it('is what the tenant asks for of all its keys, and of itself', async () => {
    const { f, ann, bob } = await company();
    const platform = { kms: f.kms, caller: callerOf(SYSTEM_TENANT, 'platform_admin') };
    const { keyId } = await createKey(ann, {});
    const { tenantId } = f;
    await updateTenant(platform, { tenantId, limits: { requireApproval: 1 } });
    await waitsFor(destroyKey(ann, { keyId }));
    await waitsFor(rotateMasterKey(ann, { tenantId }));
    const shred = { tenantId, confirmation: `SHRED-${tenantId}`, reason: 'test' };
    const shredding = await waitsFor(shredTenant(ann, shred));
    const lower = { tenantId, limits: { requireApproval: null } };
    const lowering = await waitsFor(updateTenant(platform, lower));
    await decideApproval(bob, { approvalId: lowering, decision: 'approve' });
    expect((await updateTenant(platform, lower)).limits.requireApproval).toBeNull();
    await updateTenant(platform, { tenantId, limits: { requireApproval: 1 } });
    await decideApproval(bob, { approvalId: shredding, decision: 'approve' });
    expect((await shredTenant(ann, shred)).state).toBe('shredded');
  });

  it('is what the deployment asks for where the tenant says nothing of its own', async () => {
    const { f, ann } = await company();
    const kms = { ...f.kms, settings: { ...f.kms.settings, requireApproval: 1 } };
    const { keyId } = await createKey(ann, {});
    await waitsFor(destroyKey({ ...ann, kms }, { keyId }));
    expect((await destroyKey(ann, { keyId })).state).toBe('deactivated');
  });

  it('of another tenant is neither seen nor approved', async () => {
    const { f, ann } = await company();
    const platform = { kms: f.kms, caller: callerOf(SYSTEM_TENANT, 'platform_admin') };
    const { tenantId } = await createTenant(platform, { name: 'other' });
    const eve = { kms: f.kms, caller: callerOf(tenantId, 'tenant_admin') };
    const { keyId } = await createKey(ann, { requireApproval: 1 });
    const approvalId = await waitsFor(destroyKey(ann, { keyId }));
    await expect(getApproval(eve, { approvalId })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(decideApproval(eve, { approvalId, decision: 'approve' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await listApprovals(eve, {})).items).toEqual([]);
  });

  it('is not let pass by a record that somebody changed', async () => {
    const { f, ann, bob } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 2 });
    const approvalId = await waitsFor(destroyKey(ann, { keyId }));
    await decideApproval(bob, { approvalId, decision: 'approve' });
    await f.store.transact({ kind: 'system' }, async (unit) => {
      const record = await unit.approvals.get(approvalId);
      if (record === undefined) throw new Error('it is there');
      const { decisions, ...rest } = JSON.parse(record.content) as { decisions: object[] };
      await unit.approvals.update({
        ...record,
        content: JSON.stringify({ ...rest, decisions: [...decisions, ...decisions] }),
      });
    });
    await expect(destroyKey(ann, { keyId })).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    expect((await getKey(ann, { keyId })).state).toBe('active');
    expect((await listApprovals(ann, {})).warnings).toHaveLength(1);
  });
});

describe('callers who count as one', () => {
  it('are a token and what it created, level by level, and what one token of the tenant created', async () => {
    const { f, bob } = await company();
    const platform = callerOf(f.tenantId, 'platform_admin');
    const root = await tokenOf(f, { ...platform, subject: newId() });
    const [left, right] = [await tokenOf(f, root), await tokenOf(f, root)];
    const below = await tokenOf(f, left);
    const { keyId } = await createKey(bob, { requireApproval: 1 });
    const requested = await waitsFor(destroyKey({ kms: f.kms, caller: left }, { keyId }));
    for (const caller of [root, right, below, left]) {
      const attempt = decideApproval({ kms: f.kms, caller }, { approvalId: requested, decision: 'approve' });
      await expect(attempt).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    expect(await decideApproval(bob, { approvalId: requested, decision: 'approve' })).toMatchObject({ approved: 1 });
  });

  it('are not tokens that the platform made for several people, but each of them and the platform', async () => {
    const { f, ann, bob } = await company();
    const token = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
    await installPlatformToken(operationOfService(f.kms, 'installPlatformToken'), token);
    const made = callerBy(await authenticateToken(f.kms, token), f.tenantId, '127.0.0.1');
    const [one, two] = [await tokenOf(f, made), await tokenOf(f, made)];
    const { keyId } = await createKey(ann, { requireApproval: 2 });
    const approvalId = await waitsFor(destroyKey({ kms: f.kms, caller: one }, { keyId }));
    const byPlatform = decideApproval({ kms: f.kms, caller: made }, { approvalId, decision: 'approve' });
    await expect(byPlatform).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await decideApproval({ kms: f.kms, caller: two }, { approvalId, decision: 'approve' })).toMatchObject({
      approved: 1,
    });
    await decideApproval(bob, { approvalId, decision: 'approve' });
    expect((await destroyKey({ kms: f.kms, caller: one }, { keyId })).state).toBe('deactivated');
  });

  it('are an identity of an issuer and who bound it', async () => {
    const { ann, bob, cyd } = await company();
    const { keyId } = await createKey(ann, { requireApproval: 1 });
    const approvalId = await waitsFor(destroyKey(ann, { keyId }));
    const bound = (by: Caller, subject: string) => ({
      ...cyd,
      caller: {
        ...cyd.caller,
        subject,
        credential: {
          subject,
          tenantId: by.tenantId,
          permissions: by.permissions,
          attributes: { mfa: false },
          credential: 'jwt' as const,
          keys: null,
          boundBy: [by.subject],
        },
      },
    });
    const byRequester = decideApproval(bound(ann.caller, 'https://issuer.example#x'), {
      approvalId,
      decision: 'approve',
    });
    await expect(byRequester).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const byOther = decideApproval(bound(bob.caller, 'https://issuer.example#y'), { approvalId, decision: 'approve' });
    expect(await byOther).toMatchObject({ approved: 1 });
  });
});
