import assert from 'node:assert/strict';
import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import { newId } from '../model/identifiers.ts';
import { OPERATIONS } from '../operations/catalog.ts';
import type { IdentityNames, Store } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  comparable,
  newTenant,
  sampleBinding,
  sampleDenial,
  sampleMac,
  scopeOf,
  shreddedTenant,
  someBytes,
  SYSTEM,
} from './store-samples.ts';

const EVER = new Date(0);

const removed = (binding: IdentityBindingRecord, at: Date): IdentityBindingRecord => ({
  ...binding,
  removedAt: at,
  mac: sampleMac({ tmkVersion: 2 }),
});

/** The names of some records, as bindings and as denials. */
const namesOf = (...records: readonly { readonly foundBy: Uint8Array }[]): IdentityNames => {
  const names = records.map(({ foundBy }) => foundBy);
  return { bindings: names, denials: names };
};

export function identityRules({ it }: Rules, store: () => Store): void {
  const insert = (tenantId: string, ...bindings: readonly IdentityBindingRecord[]) =>
    asTenant(store(), tenantId, async (unit) => {
      for (const binding of bindings) await unit.identities.insert(binding);
    });

  it('keeps every field of a binding and of a denial', async () => {
    const tenantId = await newTenant(store());
    const bindings = [
      sampleBinding(tenantId),
      sampleBinding(tenantId, {
        match: { sub: 'system:serviceaccount:orders:*', 'a "quoted" {claim}': '\\ ü' },
        role: null,
        permissions: [OPERATIONS.encrypt.permission, OPERATIONS.getRandom.permission],
        keys: [newId(), newId()],
        expiresAt: new Date('2031-12-31T23:59:59.999Z'),
        fields: { note: { a: [1, 'x'] } },
      }),
    ];
    await insert(tenantId, ...bindings);
    for (const binding of bindings) {
      const read = await asTenant(store(), tenantId, (unit) => unit.identities.get(binding.bindingId, { lock: true }));
      assert.deepEqual(comparable(read), comparable(binding));
    }
    const denial = sampleDenial(tenantId, { claim: 'jti', value: 'id "1"', fields: { note: 'x' } });
    await asTenant(store(), tenantId, (unit) => unit.identities.insertDenial(denial));
    const found = await asTenant(store(), tenantId, (unit) => unit.identities.find(namesOf(denial), 10));
    assert.deepEqual(comparable(found.denials), comparable([denial]));
  });

  it('finds bindings and denials of every tenant in the system scope, and of one in its own', async () => {
    const [one, other] = [await newTenant(store()), await newTenant(store())];
    const foundBy = someBytes(32);
    const bindings = [sampleBinding(one, { foundBy }), sampleBinding(other, { foundBy }), sampleBinding(one)];
    const denials = [sampleDenial(one, { foundBy }), sampleDenial(other, { foundBy }), sampleDenial(other)];
    for (const tenantId of [one, other]) {
      await insert(tenantId, ...bindings.filter((binding) => binding.tenantId === tenantId));
      await asTenant(store(), tenantId, async (unit) => {
        for (const denial of denials) if (denial.tenantId === tenantId) await unit.identities.insertDenial(denial);
      });
    }
    const names = { bindings: [someBytes(32), foundBy], denials: [foundBy, someBytes(32)] };
    const findAll = () => store().transact(SYSTEM, (unit) => unit.identities.find(names, 10));
    const idsOf = (found: Awaited<ReturnType<typeof findAll>>) => ({
      bindings: found.bindings.map(({ bindingId }) => bindingId).sort(),
      denials: found.denials.map(({ denialId }) => denialId).sort(),
    });
    const wanted = (...at: readonly number[]) => ({
      bindings: at.map((index) => bindings[index]?.bindingId).sort(),
      denials: at.map((index) => denials[index]?.denialId).sort(),
    });
    assert.deepEqual(idsOf(await findAll()), wanted(0, 1));
    const ofOne = await asTenant(store(), one, (unit) => unit.identities.find(names, 10));
    assert.deepEqual(idsOf(ofOne), wanted(0));
    const limited = await store().transact(SYSTEM, (unit) => unit.identities.find(names, 1));
    assert.equal(limited.bindings.length, 1);
    assert.equal(limited.denials.length, 2);
    const none = await store().transact(SYSTEM, (unit) => unit.identities.find({ bindings: [], denials: [] }, 10));
    assert.deepEqual(none, { bindings: [], denials: [] });
  });

  it('removes a binding once, changes nothing else of it, and shows it nowhere from then on', async () => {
    const tenantId = await newTenant(store());
    const other = await newTenant(store());
    const [binding, staying] = [sampleBinding(tenantId), sampleBinding(tenantId)];
    await insert(tenantId, binding, staying);
    const foreign = asTenant(store(), other, (unit) => unit.identities.remove(removed(binding, unit.now)));
    await assert.rejects(foreign, { code: 'NOT_FOUND' });
    await asTenant(store(), tenantId, (unit) => unit.identities.remove(removed(binding, unit.now)));
    const seen = await asTenant(store(), tenantId, async (unit) => ({
      read: await unit.identities.get(binding.bindingId),
      listed: await unit.identities.list({ limit: 10 }),
      found: await unit.identities.find(namesOf(binding, staying), 10),
    }));
    assert.equal(seen.read, undefined);
    assert.deepEqual(
      seen.listed.items.map(({ bindingId }) => bindingId),
      [staying.bindingId],
    );
    assert.deepEqual(
      seen.found.bindings.map(({ bindingId }) => bindingId),
      [staying.bindingId],
    );
    for (const gone of [binding, sampleBinding(tenantId)]) {
      const attempt = asTenant(store(), tenantId, (unit) => unit.identities.remove(removed(gone, unit.now)));
      await assert.rejects(attempt, { code: 'NOT_FOUND' });
    }
    await assert.rejects(insert(tenantId, binding), { code: 'CONFLICT' });
  });

  it('finds removed bindings of every tenant in the system scope and of one in its own, up to the limit, and no others', async () => {
    const [one, other] = [await newTenant(store()), await newTenant(store())];
    const foundBy = someBytes(32);
    const [gone, staying, unnamed, theirs] = [
      sampleBinding(one, { foundBy }),
      sampleBinding(one, { foundBy }),
      sampleBinding(one),
      sampleBinding(other, { foundBy }),
    ];
    await insert(one, gone, staying, unnamed);
    await insert(other, theirs);
    const written = new Map<string, IdentityBindingRecord>();
    for (const binding of [gone, unnamed, theirs])
      await asTenant(store(), binding.tenantId, (unit) => {
        const record = removed(binding, unit.now);
        written.set(binding.bindingId, record);
        return unit.identities.remove(record);
      });
    const names = [someBytes(32), foundBy];
    const find = (tenantId: string | undefined, limit: number) =>
      tenantId === undefined
        ? store().transact(SYSTEM, (unit) =>
            unit.identities.findRemoved({ names, removedAfter: EVER, limit, ofTenant: 10 }),
          )
        : asTenant(store(), tenantId, (unit) =>
            unit.identities.findRemoved({ names, removedAfter: EVER, limit, ofTenant: 10 }),
          );
    const idsOf = (found: readonly IdentityBindingRecord[]) => found.map(({ bindingId }) => bindingId).sort();
    assert.deepEqual(idsOf(await find(undefined, 10)), [gone.bindingId, theirs.bindingId].sort());
    assert.deepEqual(idsOf(await find(other, 10)), [theirs.bindingId]);
    assert.equal((await find(undefined, 1)).length, 1);
    assert.deepEqual(comparable(await find(one, 10)), comparable([written.get(gone.bindingId)]));
    const none = await store().transact(SYSTEM, (unit) =>
      unit.identities.findRemoved({ names: [], removedAfter: EVER, limit: 10, ofTenant: 10 }),
    );
    assert.deepEqual(none, []);
  });

  it('finds of each tenant those that it removed last, up to a number, and none removed before a time', async () => {
    const [many, few] = [await newTenant(store()), await newTenant(store())];
    const names = [someBytes(32), someBytes(32)];
    const [name = someBytes(32), another = someBytes(32)] = names;
    const day = (number: number) => new Date(Date.UTC(2026, 0, number));
    const remove = async (tenantId: string, foundBy: Uint8Array, on: number) => {
      const binding = sampleBinding(tenantId, { foundBy });
      await insert(tenantId, binding);
      await asTenant(store(), tenantId, (unit) => unit.identities.remove(removed(binding, day(on))));
    };
    for (const on of [11, 14, 12, 13, 10]) await remove(many, name, on);
    for (const on of [15, 16]) await remove(many, another, on);
    for (const on of [9, 17]) await remove(few, name, on);
    const found = async (ofTenant: number, after = 9, tenantId?: string) => {
      const query = { names, removedAfter: day(after), limit: 100, ofTenant };
      const records = await store().transact(tenantId === undefined ? SYSTEM : scopeOf(tenantId), (unit) =>
        unit.identities.findRemoved(query),
      );
      return records.map(({ removedAt }) => removedAt?.getUTCDate() ?? 0).sort((a, b) => a - b);
    };
    assert.deepEqual(await found(10), [10, 11, 12, 13, 14, 15, 16, 17]);
    assert.deepEqual(await found(2), [13, 14, 15, 16, 17]);
    assert.deepEqual(await found(10, 13), [14, 15, 16, 17]);
    assert.deepEqual(await found(1, 9, many), [14, 16]);
    assert.deepEqual(await found(10, 0, few), [9, 17]);
  });

  it('lists bindings of the scope in pages, newest first, that neither repeat one nor leave one out', async () => {
    const tenantId = await newTenant(store());
    const other = await newTenant(store());
    await insert(other, sampleBinding(other));
    const bindings = Array.from({ length: 7 }, (_, index) =>
      sampleBinding(tenantId, { createdAt: new Date(1_780_000_000_000 + Math.floor(index / 3)) }),
    );
    await insert(tenantId, ...bindings);
    const pagesOf = async (limit: number): Promise<readonly string[]> => {
      const found: IdentityBindingRecord[] = [];
      for (let more = true; more; ) {
        const after = found.at(-1) ?? null;
        const page = await asTenant(store(), tenantId, (unit) => unit.identities.list({ limit, after }));
        found.push(...page.items);
        more = page.more;
      }
      return found.map(({ bindingId }) => bindingId);
    };
    const whole = await pagesOf(200);
    assert.deepEqual(whole.toSorted(), bindings.map(({ bindingId }) => bindingId).toSorted());
    assert.deepEqual(
      bindings.slice(6).map(({ bindingId }) => bindingId),
      whole.slice(0, 1),
    );
    for (const limit of [1, 2, 3, 7]) assert.deepEqual(await pagesOf(limit), whole);
  });

  it('lists denials of the scope in pages, newest first, without those that have ended', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const denials = Array.from({ length: 5 }, (_, index) =>
      sampleDenial(tenantId, { createdAt: new Date(1_780_000_000_000 + Math.floor(index / 2)) }),
    );
    await asTenant(store(), other, (unit) => unit.identities.insertDenial(sampleDenial(other)));
    await asTenant(store(), tenantId, async (unit) => {
      for (const denial of denials) await unit.identities.insertDenial(denial);
      await unit.identities.insertDenial(sampleDenial(tenantId, { endsAt: new Date('2026-03-02T00:00:00.000Z') }));
    });
    const pagesOf = async (limit: number): Promise<readonly string[]> => {
      const found: IdentityDenialRecord[] = [];
      for (let more = true; more; ) {
        const after = found.at(-1) ?? null;
        const page = await asTenant(store(), tenantId, (unit) => unit.identities.listDenials({ limit, after }));
        found.push(...page.items);
        more = page.more;
      }
      return found.map(({ denialId }) => denialId);
    };
    const whole = await pagesOf(200);
    assert.deepEqual(whole.toSorted(), denials.map(({ denialId }) => denialId).toSorted());
    assert.equal(whole[0], denials[4]?.denialId);
    for (const limit of [1, 2, 5]) assert.deepEqual(await pagesOf(limit), whole);
    const { items } = await asTenant(store(), tenantId, (unit) => unit.identities.listDenials({ limit: 1 }));
    assert.deepEqual(comparable(items), comparable(denials.slice(4)));
  });

  it('stores that a denial was lifted, and changes nothing else of it', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const denial = sampleDenial(tenantId, { fields: { note: 'x' } });
    await asTenant(store(), tenantId, (unit) => unit.identities.insertDenial(denial));
    const lift = (scopeTenant: string, change: Partial<IdentityDenialRecord>) =>
      asTenant(store(), scopeTenant, (unit) => unit.identities.liftDenial({ ...denial, ...change }));
    const at = (time: number) => ({ fields: { note: 'x', liftedAt: time }, mac: sampleMac({ tmkVersion: 2 }) });
    await assert.rejects(lift(other, at(1)), { code: 'NOT_FOUND' });
    await assert.rejects(lift(tenantId, { ...at(1), denialId: newId() }), { code: 'NOT_FOUND' });
    await lift(tenantId, { ...at(1), value: 'another' });
    const last = at(2);
    await lift(tenantId, last);
    const seen = await asTenant(store(), tenantId, async (unit) => [
      await unit.identities.getDenial(denial.denialId, { lock: true }),
      ...(await unit.identities.listDenials({ limit: 10 })).items,
      ...(await unit.identities.find(namesOf(denial), 10)).denials,
    ]);
    const lifted = { ...denial, ...last };
    assert.deepEqual(seen.map(comparable), [lifted, lifted, lifted].map(comparable));
    const foreign = await asTenant(store(), other, (unit) => unit.identities.getDenial(denial.denialId));
    assert.equal(foreign, undefined);
  });

  it('removes the denials of the scope that have ended, and no others', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const ended = { endsAt: new Date('2026-03-02T00:00:00.000Z') };
    const [gone, staying, theirs] = [
      sampleDenial(tenantId, ended),
      sampleDenial(tenantId, { endsAt: new Date(Date.now() + 60 * 60 * 1000) }),
      sampleDenial(other, ended),
    ];
    await asTenant(store(), other, (unit) => unit.identities.insertDenial(theirs));
    await asTenant(store(), tenantId, async (unit) => {
      for (const denial of [gone, staying]) await unit.identities.insertDenial(denial);
      await unit.identities.removeEndedDenials();
    });
    const left = await store().transact(SYSTEM, (unit) => unit.identities.find(namesOf(gone, staying, theirs), 10));
    const ids = left.denials.map(({ denialId }) => denialId).sort();
    assert.deepEqual(ids, [staying.denialId, theirs.denialId].sort());
  });

  it('takes neither bindings nor denials of another tenant, of none and of a shredded one', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const attempts = (scopeTenant: string, owner: string) => [
      () => asTenant(store(), scopeTenant, (unit) => unit.identities.insert(sampleBinding(owner))),
      () => asTenant(store(), scopeTenant, (unit) => unit.identities.insertDenial(sampleDenial(owner))),
    ];
    for (const attempt of attempts(other, tenantId)) await assert.rejects(attempt(), { code: 'TENANT_MISMATCH' });
    const nobody = newId();
    for (const attempt of attempts(nobody, nobody)) await assert.rejects(attempt(), { code: 'INTERNAL_ERROR' });
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
    for (const attempt of attempts(tenantId, tenantId)) await assert.rejects(attempt(), { code: 'CONFLICT' });
  });

  it('refuses the id of a denial that was used before', async () => {
    const tenantId = await newTenant(store());
    const denial = sampleDenial(tenantId);
    await asTenant(store(), tenantId, (unit) => unit.identities.insertDenial(denial));
    const attempt = asTenant(store(), tenantId, (unit) => unit.identities.insertDenial(denial));
    await assert.rejects(attempt, { code: 'CONFLICT' });
  });
}
