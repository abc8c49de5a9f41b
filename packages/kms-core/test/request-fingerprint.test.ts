import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Caller } from '../src/access/caller.ts';
import { MasterKeyChain } from '../src/hierarchy/master-key-chain.ts';
import { TenantMasterKey } from '../src/hierarchy/tenant-master-key.ts';
import { runOnce } from '../src/operations/run-once.ts';
import { InMemoryStore } from '../src/testing/in-memory-store.ts';
import { asTenant, newTenant } from '../src/testing/store-samples.ts';

const FINGERPRINT = createHash('sha256').update('a request').digest();
let store: InMemoryStore;
let tenantId: string;
beforeEach(async () => {
  store = new InMemoryStore(() => new Date());
  tenantId = await newTenant(store);
});

const masterKey = (version: number) => new TenantMasterKey(tenantId, version, Buffer.alloc(32, version));
const chainOf = (first: number, ...others: readonly number[]) =>
  new MasterKeyChain([masterKey(first), ...others.map((version) => masterKey(version))]);

/** Runs a call that answers how often its work was done until then. */
function caller() {
  let done = 0;
  const call = (chain: MasterKeyChain, key = 'once', fingerprint: Uint8Array = FINGERPRINT): Promise<number> => {
    const by: Caller = { tenantId, subject: 'somebody', permissions: new Set(), attributes: { ip: null, mfa: false } };
    return asTenant(store, tenantId, (unit) =>
      runOnce(
        { caller: by, idempotency: { key, fingerprint } },
        { unit, chain, what: 'test' },
        async () => (done += 1),
      ),
    );
  };
  return { call, done: () => done };
}

/** What is stored under an idempotency key. */
async function stored(key: string): Promise<Buffer> {
  const record = await asTenant(store, tenantId, (unit) => unit.idempotency.claim(key, FINGERPRINT));
  return Buffer.from(record?.fingerprint ?? []);
}

describe('the stored fingerprint of a request', () => {
  test('is keyed by tenant, and another one under each idempotency key', async () => {
    const { call } = caller();
    await call(chainOf(1), 'one');
    await call(chainOf(1), 'two');
    const [one, two] = [await stored('one'), await stored('two')];
    for (const bytes of [one, two]) {
      expect(bytes).toHaveLength(36);
      expect(bytes.includes(FINGERPRINT)).toBe(false);
    }
    expect(one.equals(two)).toBe(false);
  });

  test('is that of its request under a new version of the master key, too', async () => {
    const { call, done } = caller();
    expect(await call(chainOf(1))).toBe(1);
    expect(await call(chainOf(1, 2))).toBe(1);
    await expect(call(chainOf(1, 2), 'once', Buffer.alloc(32))).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
    expect(done()).toBe(1);
  });

  test('of a version of the master key that is not there is refused', async () => {
    const { call, done } = caller();
    await call(chainOf(2));
    await expect(call(chainOf(1))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(done()).toBe(1);
  });

  test.each([0, 32, 35, 37, 64])(
    'of %i bytes, of which only 32 are those of a version before, is refused',
    async (bytes) => {
      const { call, done } = caller();
      const unkeyed = bytes === 32 ? FINGERPRINT : Buffer.alloc(bytes);
      await asTenant(store, tenantId, async (unit) => {
        await unit.idempotency.claim('once', unkeyed);
        await unit.idempotency.complete('once', Buffer.alloc(100), 3600);
      });
      await expect(call(chainOf(1))).rejects.toMatchObject({ code: 'CONFLICT' });
      expect(done()).toBe(0);
    },
  );
});
