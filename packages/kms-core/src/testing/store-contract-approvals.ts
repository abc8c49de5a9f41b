import assert from 'node:assert/strict';
import type { ApprovalRecord } from '../model/approval.ts';
import { newId } from '../model/identifiers.ts';
import type { Store } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  comparable,
  newTenant,
  sampleApproval,
  sampleMac,
  shreddedTenant,
  someBytes,
  SYSTEM,
} from './store-samples.ts';

const OVER = new Date('2026-03-01T10:00:00.002Z');

/** What a store owes of requests for approvals. */
export function approvalRules({ it }: Rules, store: () => Store): void {
  const insert = (...approvals: readonly ApprovalRecord[]) =>
    store().transact(SYSTEM, async (unit) => {
      for (const approval of approvals) await unit.approvals.insert(approval);
    });
  const get = (tenantId: string, approvalId: string) =>
    asTenant(store(), tenantId, (unit) => unit.approvals.get(approvalId, { lock: true }));

  it('keeps every field of a request, and shows it to its tenant alone', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const approval = sampleApproval(tenantId);
    await asTenant(store(), tenantId, (unit) => unit.approvals.insert(approval));
    assert.deepEqual(comparable(await get(tenantId, approval.approvalId)), comparable(approval));
    assert.equal(await get(other, approval.approvalId), undefined);
    assert.equal(await get(tenantId, newId()), undefined);
    const found = (scopeOf: string) =>
      asTenant(store(), scopeOf, (unit) => unit.approvals.findPending(tenantId, approval.fingerprint));
    assert.deepEqual(comparable(await found(tenantId)), comparable(approval));
    assert.equal(await found(other), undefined);
    const foreign = asTenant(store(), other, (unit) => unit.approvals.insert(sampleApproval(tenantId)));
    await assert.rejects(foreign, { code: 'TENANT_MISMATCH' });
    await assert.rejects(insert(approval), { code: 'CONFLICT' });
  });

  it('adds none to a tenant that was shredded', async () => {
    const tenantId = await newTenant(store());
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
    await assert.rejects(insert(sampleApproval(tenantId)), { code: 'CONFLICT' });
  });

  it('finds the newest pending one of a fingerprint that has not expired', async () => {
    const tenantId = await newTenant(store());
    const fingerprint = someBytes(32);
    const [first, second] = [1, 2].map((at) => sampleApproval(tenantId, { fingerprint, createdAt: new Date(at) }));
    const ended = sampleApproval(tenantId, { fingerprint, createdAt: new Date(3), state: 'refused' });
    const expired = sampleApproval(tenantId, { fingerprint, createdAt: new Date(4), expiresAt: OVER });
    assert.ok(first !== undefined && second !== undefined);
    await insert(first, second, ended, expired, sampleApproval(tenantId));
    const find = (looked: Uint8Array) =>
      asTenant(store(), tenantId, (unit) => unit.approvals.findPending(tenantId, looked));
    assert.equal((await find(fingerprint))?.approvalId, second.approvalId);
    assert.equal(await find(someBytes(32)), undefined);
  });

  it('changes state, content and MAC of a pending request of the scope, and nothing of another', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const approval = sampleApproval(tenantId);
    await insert(approval);
    const approved: ApprovalRecord = { ...approval, content: '{"approved":1}', mac: sampleMac() };
    const update = (scopeOf: string, changed: ApprovalRecord) =>
      asTenant(store(), scopeOf, (unit) => unit.approvals.update(changed));
    await assert.rejects(update(other, approved), { code: 'NOT_FOUND' });
    await update(tenantId, approved);
    assert.deepEqual(comparable(await get(tenantId, approval.approvalId)), comparable(approved));
    const executed: ApprovalRecord = { ...approved, state: 'executed' };
    await update(tenantId, { ...executed, expiresAt: OVER });
    assert.deepEqual(comparable(await get(tenantId, approval.approvalId)), comparable(executed));
    await assert.rejects(update(tenantId, approved), { code: 'NOT_FOUND' });
  });

  it('lists requests newest first, in pages that neither repeat one nor leave one out, and by their state', async () => {
    const tenantId = await newTenant(store());
    const approvals = Array.from({ length: 5 }, (_, at) =>
      sampleApproval(tenantId, { createdAt: new Date(1_780_000_000_000 + Math.floor(at / 2)) }),
    );
    await insert(...approvals);
    const listed: ApprovalRecord[] = [];
    for (let more = true; more; ) {
      const after = listed.at(-1) ?? null;
      const page = await asTenant(store(), tenantId, (unit) => unit.approvals.list({ limit: 2, after }));
      listed.push(...page.items);
      ({ more } = page);
    }
    assert.equal(listed.length, 5);
    assert.deepEqual(
      new Set(listed.map(({ approvalId }) => approvalId)),
      new Set(approvals.map(({ approvalId }) => approvalId)),
    );
    const times = listed.map(({ createdAt }) => createdAt.getTime());
    assert.deepEqual(
      times,
      [...times].sort((a, b) => b - a),
    );
    await insert(sampleApproval(tenantId, { state: 'refused' }), sampleApproval(tenantId, { expiresAt: OVER }));
    const inState = async (state: ApprovalRecord['state']) =>
      (await asTenant(store(), tenantId, (unit) => unit.approvals.list({ limit: 200, state }))).items.length;
    assert.deepEqual([await inState('pending'), await inState('refused'), await inState('executed')], [5, 1, 0]);
  });

  it('removes requests of the scope that expired before a time, and no others', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const [expired, later, foreign] = [
      sampleApproval(tenantId, { expiresAt: new Date(OVER.getTime() - 1) }),
      sampleApproval(tenantId, { expiresAt: OVER }),
      sampleApproval(other, { expiresAt: new Date(OVER.getTime() - 1) }),
    ];
    await insert(expired, later, foreign);
    await asTenant(store(), tenantId, (unit) => unit.approvals.removeEnded(OVER));
    assert.equal(await get(tenantId, expired.approvalId), undefined);
    assert.ok((await get(tenantId, later.approvalId)) !== undefined);
    assert.ok((await get(other, foreign.approvalId)) !== undefined);
  });

  it('counts only pending requests that have not expired against the room', async () => {
    const tenantId = await newTenant(store());
    await insert(sampleApproval(tenantId, { state: 'executed' }), sampleApproval(tenantId, { expiresAt: OVER }));
    await asTenant(store(), tenantId, (unit) => unit.approvals.insert(sampleApproval(tenantId), { atMost: 1 }));
    const refused = asTenant(store(), tenantId, (unit) =>
      unit.approvals.insert(sampleApproval(tenantId), { atMost: 1 }),
    );
    await assert.rejects(refused, { code: 'QUOTA_EXCEEDED' });
  });
}
