import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../model/identifiers.ts';
import { type Contract, contractOf } from './contract.ts';
import type { ChangeFeed, FeedEvent } from '../ports/change-feed.ts';
import type { Store } from '../ports/store.ts';
import {
  asTenant,
  insertKey,
  newTenant,
  nextRevision,
  sampleBinding,
  sampleDenial,
  sampleKey,
  sampleMac,
  sampleToken,
  shreddedTenant,
  SYSTEM,
} from './store-samples.ts';

/** A store, and the feed of what changes in it. */
export interface OpenedFeed {
  readonly store: Store;
  readonly changes: ChangeFeed;
  close(): Promise<void>;
}

/** Waits until everything that was committed before now is proven to be delivered. */
export async function delivered(changes: ChangeFeed): Promise<void> {
  const now = performance.now();
  while (changes.provenAt() < now) await sleep(5);
}

/** What every change feed owes, by changing the store that it tells of. */
export function changeFeedContract(name: string, open: () => Promise<OpenedFeed>): Contract {
  return contractOf(name, open, ({ it, before }, opened) => {
    before(() => delivered(opened().changes));

    /** The events of one listener for as long as `work` takes and until they are proven to be complete. */
    async function listening(work: () => Promise<unknown>): Promise<FeedEvent[]> {
      const events: FeedEvent[] = [];
      const end = opened().changes.subscribe((event) => events.push(event));
      await work();
      await delivered(opened().changes);
      end();
      // The first one is the beginning.
      return events.slice(1);
    }

    it('tells changes of keys, tokens and tenants by their ids, in the order of the commits', async () => {
      const { store } = opened();
      const tenantId = await newTenant(store);
      const first = await insertKey(store, sampleKey(tenantId));
      const second = await insertKey(store, sampleKey(tenantId));
      const token = sampleToken(tenantId);
      await asTenant(store, tenantId, (unit) => unit.tokens.insert(token));
      const limited = await newTenant(store);
      const fields = { '!rate': 1 };
      const events = await listening(async () => {
        await asTenant(store, tenantId, (unit) => unit.keys.update(nextRevision(second), 1));
        await asTenant(store, tenantId, (unit) => unit.tokens.revoke({ ...token, revokedAt: unit.now }));
        await asTenant(store, tenantId, (unit) => unit.keys.update(nextRevision(first), 1));
        await store.transact(SYSTEM, (unit) => unit.tenants.setFields({ tenantId: limited, fields, mac: sampleMac() }));
        await store.transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
      });
      const changes = events.filter((event) => event.kind !== 'mark');
      assert.deepEqual(changes.slice(0, 4), [
        { kind: 'key', keyId: second.keyId },
        { kind: 'token', tokenId: token.tokenId },
        { kind: 'key', keyId: first.keyId },
        { kind: 'tenant', tenantId: limited },
      ]);
      assert.ok(changes.some((event) => event.kind === 'tenant' && event.tenantId === tenantId));
    });

    it('tells of bindings and denials of identities, also of those that were added or lifted, by what they are found by', async () => {
      const { store } = opened();
      const tenantId = await newTenant(store);
      const [binding, denial] = [sampleBinding(tenantId), sampleDenial(tenantId, { endsAt: new Date(0) })];
      const named = ({ foundBy }: { readonly foundBy: Uint8Array }) => ({
        kind: 'identity',
        foundBy: Buffer.from(foundBy).toString('hex'),
      });
      const events = await listening(async () => {
        await asTenant(store, tenantId, (unit) => unit.identities.insert(binding));
        await asTenant(store, tenantId, (unit) => unit.identities.insertDenial(denial));
        await asTenant(store, tenantId, (unit) => unit.identities.remove({ ...binding, removedAt: unit.now }));
        const lifted = { ...denial, fields: { liftedAt: 1 } };
        await asTenant(store, tenantId, (unit) => unit.identities.liftDenial(lifted));
        await asTenant(store, tenantId, (unit) => unit.identities.removeEndedDenials());
        const failing = asTenant(store, tenantId, async (unit) => {
          await unit.identities.insert(sampleBinding(tenantId));
          throw new Error('rolled back');
        });
        await assert.rejects(failing, { message: 'rolled back' });
      });
      const changes = events.filter((event) => event.kind !== 'mark');
      assert.deepEqual(changes, [named(binding), named(denial), named(binding), named(denial), named(denial)]);
    });

    it('tells nothing of what was rolled back, and nothing of what was only added', async () => {
      const { store } = opened();
      const tenantId = await newTenant(store);
      const key = await insertKey(store, sampleKey(tenantId));
      const events = await listening(async () => {
        const failing = asTenant(store, tenantId, async (unit) => {
          await unit.keys.update(nextRevision(key), 1);
          throw new Error('rolled back');
        });
        await assert.rejects(failing, { message: 'rolled back' });
        await insertKey(store, sampleKey(tenantId));
        await asTenant(store, tenantId, (unit) => unit.tokens.insert(sampleToken(tenantId)));
        await newTenant(store);
      });
      assert.deepEqual(
        events.filter((event) => event.kind !== 'mark'),
        [],
      );
    });

    it('has delivered every change that was committed before the time that it proves', async () => {
      const { store, changes } = opened();
      const tenantId = await newTenant(store);
      const keys = await Promise.all(Array.from({ length: 8 }, () => insertKey(store, sampleKey(tenantId))));
      const seen = new Map<string, number>();
      const end = changes.subscribe((event) => {
        if (event.kind === 'key') seen.set(event.keyId, (seen.get(event.keyId) ?? 0) + 1);
      });
      const rounds = 15;
      await Promise.all(
        keys.map(async (key) => {
          let current = key;
          for (let round = 1; round <= rounds; round += 1) {
            const next = nextRevision(current);
            await asTenant(store, tenantId, (unit) => unit.keys.update(next, current.revision));
            current = next;
            const committedAt = performance.now();
            while (changes.provenAt() < committedAt) await sleep(1);
            assert.equal(seen.get(key.keyId), round);
          }
        }),
      );
      end();
    });

    it('names points in the order that are the same for every listener and never come again', async () => {
      const { store, changes } = opened();
      const tenantId = await newTenant(store);
      const key = await insertKey(store, sampleKey(tenantId));
      const other: FeedEvent[] = [];
      const end = changes.subscribe((event) => other.push(event));
      const events = await listening(async () => {
        for (let last = key; last.revision < 4; last = nextRevision(last)) {
          const next = nextRevision(last);
          await asTenant(store, tenantId, (unit) => unit.keys.update(next, last.revision));
          await delivered(changes);
        }
      });
      end();
      const from = events.findIndex((event) => event.kind === 'key');
      assert.deepEqual(other.slice(other.findIndex((event) => event.kind === 'key')), events.slice(from));
      const marks = events.flatMap((event) => (event.kind === 'mark' ? [event.mark] : []));
      assert.ok(marks.length > 1);
      assert.equal(new Set(marks).size, marks.length);
    });

    it('tells a listener nothing more once it ended', async () => {
      const { store, changes } = opened();
      const tenantId = await newTenant(store);
      const key = await insertKey(store, sampleKey(tenantId, { keyId: newId() }));
      const events: FeedEvent[] = [];
      changes.subscribe((event) => events.push(event))();
      const count = events.length;
      await asTenant(store, tenantId, (unit) => unit.keys.update(nextRevision(key), 1));
      await delivered(changes);
      assert.equal(events.length, count);
    });
  });
}
