import { beforeEach, describe, expect, test } from 'vitest';
import { createKey, encrypt, KmsError, listCursors, listKeys, newId } from '../src/exports/internal.ts';
import { addTenant, callerOf, type Fixture, makeFixture, promised } from './kms-fixture.ts';

let f: Fixture;
beforeEach(async () => {
  f = await makeFixture();
});

describe('a cursor', () => {
  test('opens for its own tenant, list and query only', async () => {
    const at = new Date(0);
    const own = await listCursors<number>(f.kms.hierarchy, f.tenantId, 'events', {
      actor: 'a',
      from: at,
      to: undefined,
    });
    const cursor = own.seal(42);
    expect(own.open(cursor)).toBe(42);
    expect((await listCursors(f.kms.hierarchy, f.tenantId, 'events', { from: at, actor: 'a' })).open(cursor)).toBe(42);
    for (const [tenantId, list, query] of [
      [newId(), 'events', { actor: 'a', from: at }],
      [f.tenantId, 'keys', { actor: 'a', from: at }],
      [f.tenantId, 'events', { actor: 'b', from: at }],
      [f.tenantId, 'events', { actor: 'a' }],
      [f.tenantId, 'events', { actor: 'a', from: at, to: at }],
    ] as const) {
      const other = await listCursors(f.kms.hierarchy, tenantId, list, query);
      expect(() => other.open(cursor)).toThrow(KmsError);
    }
  });

  test('of another tenant is refused by a list', async () => {
    for (let made = 0; made < 3; made += 1) await createKey({ kms: f.kms, caller: f.admin }, {});
    const { nextCursor } = await listKeys({ kms: f.kms, caller: f.admin }, { limit: 1 });
    const other = newId();
    await addTenant(f.kms, other);
    await expect(
      listKeys({ kms: f.kms, caller: callerOf(other, 'tenant_admin') }, { cursor: String(nextCursor) }),
    ).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    const second = await listKeys({ kms: f.kms, caller: f.admin }, { limit: 1, cursor: String(nextCursor) });
    expect(second.items).toHaveLength(1);
  });
});

test('the numbers of the cache do not tell a held key of another tenant from one that does not exist', async () => {
  const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, {});
  const plaintext = Buffer.from('data');
  await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext });
  const other = newId();
  await addTenant(f.kms, other);
  const stranger = callerOf(other, 'tenant_admin');
  const countsOf = async (wanted: string) => {
    const before = { ...f.kms.keyRing.counts };
    await expect(
      promised(() => encrypt({ kms: f.kms, caller: stranger }, { keyId: wanted, plaintext })),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { hits, misses, untrusted } = f.kms.keyRing.counts;
    return [hits - before.hits, misses - before.misses, untrusted - before.untrusted];
  };
  await countsOf(newId());
  expect(await countsOf(keyId)).toEqual(await countsOf(newId()));
  const before = f.kms.keyRing.counts.hits;
  await encrypt({ kms: f.kms, caller: f.admin }, { keyId, plaintext });
  expect(f.kms.keyRing.counts.hits).toBe(before + 1);
});
