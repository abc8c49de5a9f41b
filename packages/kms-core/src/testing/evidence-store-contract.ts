import assert from 'node:assert/strict';
import type { ChainHead } from '../model/chain.ts';
import { newId, type TenantId } from '../model/identifiers.ts';
import { AUDIT_SWITCH, OPERATIONS } from '../operations/catalog.ts';
import type { EvidencePage, EvidenceQuery, EvidenceStore } from '../ports/evidence-store.ts';
import type { Store } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import { type Contract, contractOf } from './contract.ts';
import { looseBatch, sampleEvent, seal } from './evidence-samples.ts';
import { asTenant, newTenant } from './store-samples.ts';

/** A store, and the evidence that its units of work leave. */
export interface OpenedEvidence {
  readonly store: Store;
  readonly evidence: EvidenceStore;
  close(): Promise<void>;
}

/**
 * What every evidence store owes. It may hold anything else, but nobody else may deliver what it holds meanwhile: the cases
 * deliver it to nobody.
 */
export function evidenceStoreContract(name: string, open: () => Promise<OpenedEvidence>): Contract {
  return contractOf(name, open, (rules, opened) => {
    const evidence = (): EvidenceStore => opened().evidence;
    let tenantId: TenantId;
    const it = (rule: string, check: () => Promise<void>): void => {
      rules.it(rule, async () => {
        tenantId = await newTenant(opened().store);
        await deliverAll(evidence());
        await check();
        await deliverAll(evidence());
      });
    };
    it('keeps events as they were given and seals them in their order, without gaps', async () => {
      const events = Array.from({ length: 5 }, () => sampleEvent(tenantId));
      await evidence().append(events.slice(0, 3));
      await evidence().append(events.slice(3));
      assert.ok((await evidence().unsealedTenants()).includes(tenantId));
      assert.deepEqual(
        [await seal(evidence(), tenantId, 2), await seal(evidence(), tenantId, 2), await seal(evidence(), tenantId)],
        [2, 2, 1],
      );
      assert.equal(await seal(evidence(), tenantId), 0);
      assert.ok(!(await evidence().unsealedTenants()).includes(tenantId));
      const batches = await evidence().batchesAfter(tenantId, 0, 10);
      assert.deepEqual(
        batches.flatMap((batch) => batch.events.map(({ event }) => event)),
        events,
      );
      assert.deepEqual(
        batches.flatMap((batch) => batch.events.map(({ sequence }) => sequence)),
        [1, 2, 3, 4, 5],
      );
      assert.deepEqual(
        (await evidence().batchesAfter(tenantId, 2, 1)).map(({ checkpoint }) => checkpoint.firstSequence),
        [3],
      );
      assert.deepEqual(
        (await evidence().checkpoints(tenantId, 2, null)).map(({ lastSequence }) => lastSequence),
        [5, 4],
      );
      assert.deepEqual(
        (await evidence().checkpoints(tenantId, 2, 3)).map(({ lastSequence }) => lastSequence),
        [2],
      );
      assert.deepEqual(await evidence().batchOf(tenantId, events[2]?.eventId ?? ''), batches[1]);
      assert.equal(await evidence().batchOf(tenantId, newId()), undefined);
      assert.equal(await evidence().batchOf(await newTenant(opened().store), events[2]?.eventId ?? ''), undefined);
    });

    it('adds events of a unit of work with it, or not at all', async () => {
      const kept = sampleEvent(tenantId);
      await asTenant(opened().store, tenantId, (unit) => unit.evidence.append([kept]));
      const failing = asTenant(opened().store, tenantId, async (unit) => {
        await unit.evidence.append([sampleEvent(tenantId)]);
        throw new Error('the unit failed');
      });
      await assert.rejects(failing, { message: 'the unit failed' });
      const foreign = asTenant(opened().store, tenantId, (unit) => unit.evidence.append([sampleEvent(newId())]));
      await assert.rejects(foreign, { code: 'TENANT_MISMATCH' });
      await seal(evidence(), tenantId);
      const { items } = await evidence().events(tenantId, { limit: 10, beforeSequence: null });
      assert.deepEqual(
        items.map(({ event }) => event),
        [kept],
      );
    });

    it('keeps nothing of a batch that is not well made', async () => {
      await evidence().append([sampleEvent(tenantId)]);
      const fail = evidence().extendChain(tenantId, 10, () => Promise.reject(new Error('no signature')));
      await assert.rejects(fail);
      const jump = evidence().extendChain(tenantId, 10, (head, waiting) =>
        looseBatch({ ...head, sequence: 7 }, waiting),
      );
      await assert.rejects(jump, { code: 'INTERNAL_ERROR' });
      assert.equal(await seal(evidence(), tenantId), 1);
      assert.equal((await evidence().checkpoints(tenantId, 10, null)).length, 1);
    });

    it('extends a chain by one node at a time', async () => {
      await evidence().append(Array.from({ length: 60 }, () => sampleEvent(tenantId)));
      const nodes = Array.from({ length: 6 }, async () => {
        for (let turn = 0; turn < 20; turn += 1) await seal(evidence(), tenantId, 7);
      });
      await Promise.all(nodes);
      while ((await seal(evidence(), tenantId, 7)) > 0);
      const sequences = (await evidence().batchesAfter(tenantId, 0, 100)).flatMap(({ events }) =>
        events.map((each) => each.sequence),
      );
      assert.deepEqual(
        sequences,
        Array.from({ length: 60 }, (_, index) => index + 1),
      );
    });

    it('keeps a batch for its owner for as long as that renews it', async () => {
      await evidence().append([sampleEvent(tenantId)]);
      await seal(evidence(), tenantId, 1);
      const first = await evidence().claimDelivery('a', 60);
      if (first === undefined) throw new Error('a batch is due');
      await evidence().renewDelivery('a', first, 0);
      const second = await evidence().claimDelivery('b', 0);
      if (second === undefined) throw new Error('a batch is due');
      await evidence().renewDelivery('b', second, 60);
      assert.equal(await evidence().claimDelivery('a', 60), undefined);
      await evidence().endDelivery('b', second, { kind: 'delivered' });
    });

    it('gives the batches of a tenant to one owner at a time, in their order', async () => {
      await evidence().append([sampleEvent(tenantId), sampleEvent(tenantId)]);
      await seal(evidence(), tenantId, 1);
      await seal(evidence(), tenantId, 1);
      const first = await evidence().claimDelivery('a', 60);
      if (first === undefined) throw new Error('a batch is due');
      assertMembers(first.checkpoint, { tenantId, firstSequence: 1 });
      assert.equal(await evidence().claimDelivery('b', 60), undefined);
      await evidence().renewDelivery('b', first, 0);
      assert.equal(await evidence().claimDelivery('b', 60), undefined);
      await evidence().endDelivery('b', first, { kind: 'delivered' });
      assert.equal(await evidence().claimDelivery('b', 60), undefined);
      await evidence().endDelivery('a', first, { kind: 'delivered' });
      assertMembers((await evidence().claimDelivery('b', 0))?.checkpoint, { tenantId, firstSequence: 2 });
      // The lease of b is over: whatever b says then counts no more once another has it.
      const second = await evidence().claimDelivery('a', 60);
      if (second === undefined) throw new Error('a batch is due');
      await evidence().endDelivery('b', second, { kind: 'refused', reason: 'late' });
      await evidence().endDelivery('a', second, { kind: 'delivered' });
      assert.equal(await evidence().claimDelivery('a', 60), undefined);
    });

    it('waits before it gives a postponed batch again, and counts the attempts', async () => {
      await evidence().append([sampleEvent(tenantId)]);
      const before = await evidence().backlog(1_000_000);
      await seal(evidence(), tenantId);
      assert.equal((await evidence().backlog(1_000_000)).undelivered, before.undelivered + 1);
      const first = await evidence().claimDelivery('a', 60);
      if (first === undefined) throw new Error('a batch is due');
      await evidence().endDelivery('a', first, { kind: 'postponed', seconds: 0 });
      const again = await evidence().claimDelivery('a', 60);
      if (again === undefined) throw new Error('a batch is due');
      assert.deepEqual(again, { ...first, attempts: 1 });
      assert.ok((await evidence().backlog(1_000_000)).attempts >= 1);
      await evidence().endDelivery('a', again, { kind: 'postponed', seconds: 3600 });
      assert.equal(await evidence().claimDelivery('a', 60), undefined);
    });

    it('counts what waits, not how far apart it is, and no further than it is asked to', async () => {
      const stuck = await newTenant(opened().store);
      const before = (await evidence().backlog(1_000_000)).unsealed;
      await evidence().append([sampleEvent(stuck)]);
      await evidence().append(Array.from({ length: 50 }, () => sampleEvent(tenantId)));
      await seal(evidence(), tenantId);
      await evidence().append([sampleEvent(tenantId)]);
      assert.equal((await evidence().backlog(1_000_000)).unsealed, before + 2);
      assert.equal((await evidence().backlog(1)).unsealed, 1);
      const byTenant = await evidence().backlogByTenant(1_000_000);
      const { unsealed, undelivered } = await evidence().backlog(1_000_000);
      assert.equal(
        [...byTenant.values()].reduce((sum, events) => sum + events, 0),
        unsealed + undelivered,
      );
      await seal(evidence(), tenantId);
      await seal(evidence(), stuck);
    });

    it('gives every tenant its turn, also beside one that always has a batch', async () => {
      const quiet = await newTenant(opened().store);
      await evidence().append(Array.from({ length: 3 }, () => sampleEvent(tenantId)));
      await evidence().append([sampleEvent(quiet), sampleEvent(quiet)]);
      for (const each of [tenantId, tenantId, tenantId, quiet, quiet]) await seal(evidence(), each, 1);
      const served: string[] = [];
      for (let turn = 0; turn < 5; turn += 1) {
        const due = await evidence().claimDelivery('a', 60);
        if (due === undefined) throw new Error('a batch is due');
        served.push(due.checkpoint.tenantId);
        await evidence().endDelivery('a', due, { kind: 'delivered' });
      }
      assert.deepEqual(served.slice(0, 4), [served[0], served[1], served[0], served[1]]);
      assert.notEqual(served[0], served[1]);
      assert.equal(served[4], tenantId);
    });

    it('goes on after a batch that was refused for ever, and keeps it', async () => {
      await evidence().append([sampleEvent(tenantId), sampleEvent(tenantId)]);
      await seal(evidence(), tenantId, 1, new Date('2020-01-01'));
      await seal(evidence(), tenantId, 1, new Date('2020-01-01'));
      const { refused } = await evidence().backlog(1_000_000);
      const first = await evidence().claimDelivery('a', 60);
      if (first === undefined) throw new Error('a batch is due');
      await evidence().endDelivery('a', first, { kind: 'refused', reason: 'the audit service answered 422' });
      assert.equal((await evidence().backlog(1_000_000)).refused, refused + 1);
      const second = await evidence().claimDelivery('a', 60);
      if (second === undefined) throw new Error('a batch is due');
      await evidence().endDelivery('a', second, { kind: 'delivered' });
      await evidence().retire(new Date(), 100);
      assert.deepEqual(
        (await evidence().batchesAfter(tenantId, 0, 10)).map(({ events }) => events.length),
        [1, 0],
      );
    });

    it('retires what is old and delivered, and keeps its checkpoints', async () => {
      await evidence().append([sampleEvent(tenantId), sampleEvent(tenantId), sampleEvent(tenantId)]);
      await seal(evidence(), tenantId, 1, new Date('2020-01-01'));
      await seal(evidence(), tenantId, 1, new Date('2020-01-02'));
      await seal(evidence(), tenantId, 1, new Date('2030-01-01'));
      assert.equal(await evidence().retire(new Date('2025-01-01'), 100), 0);
      for (const _ of [1, 2, 3]) {
        const due = await evidence().claimDelivery('a', 60);
        if (due !== undefined) await evidence().endDelivery('a', due, { kind: 'delivered' });
      }
      assert.deepEqual(
        [await evidence().retire(new Date('2025-01-01'), 1), await evidence().retire(new Date('2025-01-01'), 100)],
        [1, 1],
      );
      assert.deepEqual(
        (await evidence().batchesAfter(tenantId, 0, 10)).map(({ events }) => events.length),
        [0, 0, 1],
      );
    });

    it('shows the head of the chain, and what waits, to what makes a batch of it', async () => {
      const events = [sampleEvent(tenantId), sampleEvent(tenantId), sampleEvent(tenantId)];
      await evidence().append(events);
      const seen: { readonly head: ChainHead; readonly waiting: readonly unknown[] }[] = [];
      const sealOne = () =>
        evidence().extendChain(tenantId, 2, (head, waiting) => {
          seen.push({ head, waiting });
          return looseBatch(head, waiting.slice(0, 1));
        });
      assert.deepEqual([await sealOne(), await sealOne(), await sealOne(), await sealOne()], [1, 1, 1, 0]);
      const [first, second, third] = await evidence().batchesAfter(tenantId, 0, 10);
      assert.deepEqual(
        seen.map(({ head }) => head),
        [
          { tenantId, sequence: 0, hash: '0'.repeat(64), checkpoint: null, last: null },
          ...[first, second].map((batch) => ({
            tenantId,
            sequence: batch?.checkpoint.lastSequence,
            hash: batch?.events[0]?.hash,
            checkpoint: batch?.events[0]?.hash,
            last: batch?.checkpoint,
          })),
        ],
      );
      assert.deepEqual(
        seen.map(({ waiting }) => waiting),
        [events.slice(0, 2), events.slice(1, 3), events.slice(2)],
      );
      assert.equal(third?.checkpoint.previousCheckpoint, second?.events[0]?.hash);
    });

    it('leaves nothing of a probe', async () => {
      const before = [await evidence().backlog(1_000_000), [...(await evidence().tenants())].sort()];
      await evidence().requireWritable();
      assert.deepEqual([await evidence().backlog(1_000_000), [...(await evidence().tenants())].sort()], before);
    });

    it('names the tenants that have evidence, sealed or not, each once', async () => {
      const other = await newTenant(opened().store);
      const both = () =>
        evidence()
          .tenants()
          .then((all) => all.filter((each) => [tenantId, other].includes(each)).sort());
      assert.deepEqual(await both(), []);
      await evidence().append([sampleEvent(tenantId)]);
      assert.deepEqual(await both(), [tenantId]);
      await seal(evidence(), tenantId);
      await evidence().append([sampleEvent(other)]);
      assert.deepEqual(await both(), [tenantId, other].sort());
    });

    it('knows the newest type of an event, sealed or not', async () => {
      const { on: ON, off: OFF } = AUDIT_SWITCH;
      const newest = () => evidence().newestType(tenantId, [ON, OFF]);
      assert.equal(await newest(), undefined);
      await evidence().append([sampleEvent(tenantId, { eventType: ON }), sampleEvent(tenantId)]);
      assert.equal(await newest(), ON);
      await seal(evidence(), tenantId);
      assert.equal(await newest(), ON);
      await evidence().append([sampleEvent(tenantId, { eventType: OFF }), sampleEvent(tenantId)]);
      assert.equal(await newest(), OFF);
      assert.equal(await evidence().newestType(tenantId, [ON]), ON);
      assert.equal(await evidence().newestType(tenantId, []), undefined);
    });

    it('finds the events of a tenant, and of no other, newest first, in pages', async () => {
      const other = await newTenant(opened().store);
      await evidence().append(Array.from({ length: 5 }, () => sampleEvent(tenantId)));
      await evidence().append([sampleEvent(other)]);
      await seal(evidence(), tenantId);
      await seal(evidence(), other);
      const found: number[] = [];
      for (let before: number | null = null, more = true; more; ) {
        const page: EvidencePage = await evidence().events(tenantId, { limit: 2, beforeSequence: before });
        found.push(...page.items.map(({ sequence }) => sequence));
        before = found.at(-1) ?? null;
        more = page.more;
      }
      assert.deepEqual(found, [5, 4, 3, 2, 1]);
    });

    it('filters events by key, type, actor, result and time, alone and together', async () => {
      const [keyId, early, late] = [newId(), '2026-03-01T10:00:00.000Z', '2026-03-01T10:00:00.002Z'];
      const events = [
        sampleEvent(tenantId, { resource: { type: 'key', id: keyId, version: null }, timestamp: early }),
        sampleEvent(tenantId, {
          resource: { type: 'token', id: keyId, version: null },
          eventType: OPERATIONS.createToken.event,
        }),
        sampleEvent(tenantId, { actor: { type: 'user', id: 'somebody' }, timestamp: late }),
        sampleEvent(tenantId, { result: 'denied', actor: { type: 'user', id: 'somebody' } }),
      ];
      await evidence().append(events);
      await seal(evidence(), tenantId);
      const find = async (query: Partial<EvidenceQuery>): Promise<(number | undefined)[]> => {
        const { items } = await evidence().events(tenantId, { limit: 10, beforeSequence: null, ...query });
        return items.map(({ event }) => events.findIndex(({ eventId }) => eventId === event.eventId));
      };
      assert.deepEqual(await find({ keyId }), [0]);
      assert.deepEqual(await find({ eventType: OPERATIONS.createToken.event }), [1]);
      assert.deepEqual(await find({ actorId: 'somebody' }), [3, 2]);
      assert.deepEqual(await find({ result: 'denied' }), [3]);
      assert.deepEqual(await find({ from: new Date(late) }), [2]);
      assert.deepEqual(await find({ from: new Date(early), to: new Date(late) }), [3, 1, 0]);
      assert.deepEqual(await find({ actorId: 'somebody', result: 'success' }), [2]);
      assert.deepEqual(await find({ keyId, result: 'denied' }), []);
    });
  });
}

/** So that nobody is given a batch of another case. */
async function deliverAll(evidence: EvidenceStore): Promise<void> {
  for (let due = await evidence.claimDelivery('nobody', 60); due; due = await evidence.claimDelivery('nobody', 60))
    await evidence.endDelivery('nobody', due, { kind: 'delivered' });
}
