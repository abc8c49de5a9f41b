import { randomBytes } from 'node:crypto';
import {
  KmsError,
  localCaller,
  type OpenedKms,
  openKms,
  softwareRoot,
  type Storage,
  type TenantId,
} from '@qnsp/kms-core';
import { operationOfService, resealMasterKeys } from '@qnsp/kms-core/internal';
import { type Alert, NewerMasterKey } from '@qnsp/kms-core/ports';
import { MapCache } from '@qnsp/kms-core/testing';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase } from '@qnsp/test-harness';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';

const plaintext = Buffer.from('data');
const MINUTES = 60_000;

/** Nodes on one database, each with its own memory. */
interface Nodes {
  readonly nodes: readonly OpenedKms[];
  readonly alerts: readonly Alert[];
  readonly tenantId: TenantId;
}

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
});

async function openNodes(storages: readonly Storage[]): Promise<Nodes> {
  const roots = softwareRoot('software', randomBytes(32));
  const alerts: Alert[] = [];
  const nodes: OpenedKms[] = [];
  for (const storage of storages) {
    const node = await openKms({
      storage,
      roots,
      alert: (alert) => alerts.push(alert),
      cache: () => ({ keys: new MapCache(), tokens: new MapCache(), identities: new MapCache() }),
    });
    nodes.push(node);
    closing.push(() => node.close());
  }
  const [first] = nodes;
  if (first === undefined) throw new Error('there is no node');
  return { nodes, alerts, tenantId: await first.ensureTenant('acme') };
}

const STORES: Readonly<Record<string, () => Promise<Nodes>>> = {
  'two nodes on PostgreSQL': async () => {
    const database = await createDatabase();
    closing.push(() => database.drop());
    const open = () =>
      openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto', statementTimeoutMs: 60_000 });
    return openNodes([await open(), await open()]);
  },
  PGlite: async () => openNodes([await openPgliteStore({ dataDir: 'memory://', statementTimeoutMs: 60_000 })]),
};

/** A machine under load makes a store answer too late, which is not about master keys. */
async function patiently<T>(work: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!KmsError.is(error) || error.code !== 'STORE_UNAVAILABLE' || NewerMasterKey.is(error)) throw error;
    }
  }
}

const adminOf = (node: OpenedKms, tenantId: TenantId) => {
  const admin = node.as(localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' }));
  const { decrypt, encrypt, getKey, listKeys } = admin;
  return {
    ...admin,
    decrypt: (input: Parameters<typeof decrypt>[0]) => patiently(() => decrypt(input)),
    encrypt: (input: Parameters<typeof encrypt>[0]) => patiently(() => encrypt(input)),
    getKey: (input: Parameters<typeof getKey>[0]) => patiently(() => getKey(input)),
    listKeys: (input: Parameters<typeof listKeys>[0]) => patiently(() => listKeys(input)),
  };
};
type Admin = ReturnType<typeof adminOf>;

/** Everything of the tenant that names a version of its master key, by what it is. */
async function namedBy({ parts }: OpenedKms, tenantId: TenantId) {
  return parts.store.transact({ kind: 'system' }, async (unit) => {
    const beyond = 2 ** 31 - 1;
    const keys = await unit.seals.lockKeys(tenantId, beyond, 1_000_000, []);
    const { bindings, denials } = await unit.seals.lockIdentities(tenantId, beyond, 1_000_000, []);
    const versions = keys.flatMap((key) => key.versions.map(({ material }) => material));
    const distinct = (numbers: readonly number[]) => [...new Set(numbers)].sort((a, b) => a - b);
    return {
      records: distinct(keys.map(({ mac }) => mac.tmkVersion)),
      material: distinct(versions.flatMap((material) => (material.kind === 'sealed' ? material.tmkVersion : []))),
      identities: distinct([...bindings, ...denials].map(({ mac }) => mac.tmkVersion)),
      wraps: distinct((await unit.tenants.masterKeyWraps(tenantId)).map(({ tmkVersion }) => tmkVersion)),
    };
  });
}

/** What was done with keys, each of which has to come out the same whatever becomes of the master key. */
class Held {
  readonly ciphertexts: { readonly keyId: string; readonly ciphertext: Uint8Array }[] = [];
  readonly names = new Map<string, string>();

  async make(admin: Admin): Promise<string> {
    const { keyId } = await admin.createKey();
    await this.use(admin, keyId);
    return keyId;
  }

  async use(admin: Admin, keyId: string): Promise<void> {
    const { ciphertext } = await admin.encrypt({ keyId, plaintext });
    this.ciphertexts.push({ keyId, ciphertext });
  }

  any(seed: number): string {
    const held = this.ciphertexts[seed % this.ciphertexts.length];
    if (held === undefined) throw new Error('there is nothing');
    return held.keyId;
  }

  /** Reads everything, as applications do at any time. */
  async check(admin: Admin): Promise<void> {
    for (const { ciphertext } of this.ciphertexts)
      expect(Buffer.from((await admin.decrypt({ ciphertext })).plaintext)).toEqual(plaintext);
    for (const [keyId, name] of this.names) expect((await admin.getKey({ keyId })).name).toBe(name);
    const listed = await admin.listKeys({ limit: 200 });
    expect(listed.warnings).toBeUndefined();
    expect(new Set(listed.items.map(({ keyId }) => keyId))).toEqual(
      new Set(this.ciphertexts.map(({ keyId }) => keyId)),
    );
  }
}

/** Ends after so many units of work, wherever re-sealing is by then. */
async function resealFor(node: OpenedKms, units: number): Promise<void> {
  const stopping = new AbortController();
  const { store } = node.parts;
  let left = units;
  const transact: typeof store.transact = (scope, work) => {
    left -= 1;
    if (left <= 0) stopping.abort();
    return store.transact(scope, work);
  };
  // As `own` does it, on a store that counts.
  const counting: typeof store = {
    transact,
    readKey: (...key) => store.readKey(...key),
    findToken: (hash) => store.findToken(hash),
    ping: () => store.ping(),
  };
  const service = operationOfService({ ...node.parts, store: counting }, 'resealMasterKeys');
  const { failed } = await resealMasterKeys(service, stopping.signal);
  expect(failed).toEqual([]);
}

describe.each(Object.entries(STORES))('the rotation of a master key: %s', (_name, open) => {
  it(
    'is noticed by no reader and no writer on any node, and ends with nothing under the earlier versions',
    async () => {
      const { nodes, alerts, tenantId } = await open();
      const held = new Held();
      const admins = nodes.map((node) => adminOf(node, tenantId));
      const admin = (seed: number) => admins[seed % admins.length] ?? adminOf(nodes[0] as OpenedKms, tenantId);
      const node = (seed: number) => nodes[seed % nodes.length] as OpenedKms;
      for (let n = 0; n < 30; n += 1) await held.make(admin(n));
      await admin(0).createIdentityBinding({
        issuer: 'https://issuer.example',
        match: { sub: 'orders' },
        role: 'auditor',
      });
      await admin(0).denyIdentity({ issuer: 'https://issuer.example', sub: 'thief' });

      let over = false;
      const failures: unknown[] = [];
      let reads = 0;
      const readers = admins.map(async (reader, index) => {
        for (let n = index; !over; n += 1) {
          const one = held.ciphertexts[n % held.ciphertexts.length];
          if (one === undefined) continue;
          try {
            await reader.decrypt({ ciphertext: one.ciphertext });
            await reader.getKey({ keyId: one.keyId });
            reads += 1;
          } catch (error) {
            failures.push(error);
          }
        }
      });
      const writers = admins.map(async (writer, index) => {
        for (let n = index; !over; n += 1) {
          const keyId = held.any(n);
          try {
            await writer.updateKey({ keyId, name: `name ${n}` });
            held.names.delete(keyId);
            if (n % 5 === 0) await writer.rotateKey({ keyId });
            await held.use(writer, keyId);
          } catch (error) {
            failures.push(error);
          }
        }
      });
      for (let round = 0; round < 3; round += 1) {
        await admin(round).rotateMasterKey({ tenantId });
        await Promise.all(nodes.map((each) => each.own.resealMasterKeys(AbortSignal.timeout(2 * MINUTES))));
      }
      over = true;
      await Promise.all([...readers, ...writers]);
      expect(failures).toEqual([]);
      expect(reads).toBeGreaterThan(0);
      for (const each of nodes) await each.own.resealMasterKeys(AbortSignal.timeout(2 * MINUTES));
      expect(await namedBy(node(0), tenantId)).toEqual({ records: [4], material: [4], identities: [4], wraps: [4] });
      for (const each of admins) await held.check(each);
      const { masterKey } = await admin(1).getTenant({ tenantId });
      expect(masterKey).toMatchObject({ version: 4, oldestVersion: 4 });
      expect(masterKey?.resealing.done).toBe(masterKey?.resealing.total);
      expect(alerts.filter(({ kind }) => kind === 'record-forged')).toEqual([]);
    },
    5 * MINUTES,
  );

  it(
    'may be interrupted and mixed with any other change, and loses nothing',
    async () => {
      const { nodes, alerts, tenantId } = await open();
      const admins = nodes.map((node) => adminOf(node, tenantId));
      const held = new Held();
      const at = <T>(list: readonly T[], seed: number): T => {
        const found = list[seed % list.length];
        if (found === undefined) throw new Error('there is none');
        return found;
      };
      for (let n = 0; n < 25; n += 1) await held.make(at(admins, n));
      const steps: Readonly<Record<string, (seed: number) => Promise<unknown>>> = {
        rotate: (seed) =>
          at(admins, seed)
            .rotateMasterKey({ tenantId })
            .catch((error: unknown) => {
              // There are four versions already.
              if (!KmsError.is(error) || error.code !== 'CONFLICT') throw error;
            }),
        resealSome: (seed) => resealFor(at(nodes, seed), 1 + (seed % 4)),
        resealAll: (seed) => at(nodes, seed).own.resealMasterKeys(AbortSignal.timeout(MINUTES)),
        resealAtOnce: () => Promise.all(nodes.map((node) => node.own.resealMasterKeys(AbortSignal.timeout(MINUTES)))),
        make: (seed) => held.make(at(admins, seed)),
        use: (seed) => held.use(at(admins, seed), held.any(seed)),
        rotateKey: (seed) => at(admins, seed).rotateKey({ keyId: held.any(seed) }),
        rename: async (seed) => {
          const keyId = held.any(seed);
          await at(admins, seed).updateKey({ keyId, name: `name ${seed}` });
          held.names.set(keyId, `name ${seed}`);
        },
      };
      const step = fc.record({ name: fc.constantFrom(...Object.keys(steps)), seed: fc.nat(1000) });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), async (sequence) => {
          for (const { name, seed } of sequence) {
            await steps[name]?.(seed);
            await held.check(at(admins, seed + 1));
          }
        }),
        { numRuns: 6, endOnFailure: true },
      );
      await at(nodes, 0).own.resealMasterKeys(AbortSignal.timeout(MINUTES));
      const named = await namedBy(at(nodes, 0), tenantId);
      const { masterKey } = await at(admins, 0).getTenant({ tenantId });
      const only = [masterKey?.version];
      expect(named).toEqual({ records: only, material: only, identities: [], wraps: only });
      for (const admin of admins) await held.check(admin);
      expect(alerts.filter(({ kind }) => kind === 'record-forged')).toEqual([]);
    },
    5 * MINUTES,
  );
});
