import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { memoryCache } from '@qnsp/kms-cache';
import { softwareRoot } from '@qnsp/kms-core';
import { establishRoots, KeyHierarchy, KeyRing } from '@qnsp/kms-core/internal';
import { type LoadedKey, newId, SILENT_FEED, type Store } from '@qnsp/kms-core/ports';
import { inMemoryStore, sampleKey, sampleVersion, addTenant } from '@qnsp/kms-core/testing';

// Prints by how many bytes this process grows for each key of an algorithm that it holds. Needs `--expose-gc`.
const [algorithm = '', count = ''] = process.argv.slice(2);
const KEYS = Number(count);

function generate(): { readonly secret: Uint8Array; readonly publicKey: Uint8Array | null } {
  if (algorithm === 'aes-256-gcm') return { secret: randomBytes(32), publicKey: null };
  const { privateKey, publicKey } =
    algorithm === 'rsa-4096' ? generateKeyPairSync('rsa', { modulusLength: 4096 }) : generateKeyPairSync('ml-dsa-65');
  return {
    secret: privateKey.export({ format: 'der', type: 'pkcs8' }),
    publicKey: publicKey.export({ format: 'der', type: 'spki' }),
  };
}

const tenantId = newId();
const memory = inMemoryStore();
const roots = [softwareRoot('software', randomBytes(32))];
const hierarchy = new KeyHierarchy(memory, roots);
await establishRoots(memory, hierarchy, roots);
await addTenant(memory, hierarchy, tenantId);
const chain = await hierarchy.masterKeys(tenantId);
// One pair for all of them, unsealed for each by itself: what it takes to make thousands is not of interest.
const { secret, publicKey } = generate();
const store: Store = {
  transact: (scope, work) => memory.transact(scope, work),
  findToken: (hash) => memory.findToken(hash),
  ping: () => memory.ping(),
  readKey: async (_tenant, keyId) => {
    const material = chain.sealVersion({ keyId, version: 1, algorithm }, secret);
    const version = sampleVersion(1, { algorithm, material, publicKey: publicKey && Uint8Array.from(publicKey) });
    return chain.signRecord(sampleKey(tenantId, { keyId, versions: [version] }));
  },
};
const ring = new KeyRing(store, hierarchy, {
  feed: { ...SILENT_FEED, provenAt: () => performance.now() },
  memory: memoryCache<LoadedKey>({ maxEntries: 2 * KEYS, maxBytes: 2 ** 34, ttlSeconds: 600 }),
});

async function use(times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    const loaded = await ring.load(tenantId, newId());
    for (const { version } of loaded.record.versions) loaded.version(version)?.engine();
  }
}

function resident(): number {
  for (let time = 0; time < 5; time += 1) globalThis.gc?.();
  return process.memoryUsage.rss();
}

await use(200);
const before = resident();
await use(KEYS);
process.stdout.write(String((resident() - before) / KEYS));
