import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  createKey,
  encrypt,
  KeyHierarchy,
  KeyRing,
  type RootProvider,
  SYSTEM_TENANT,
} from '../src/exports/internal.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { makeFixture } from './kms-fixture.ts';

test('1,000 concurrent uses of a key of a tenant that a node has not met are one read and one unwrap', async () => {
  const f = await makeFixture();
  const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, {});
  const [root] = f.roots;
  if (root === undefined) throw new Error('the fixture has no root');
  let [unwraps, reads] = [0, 0];
  const counting: RootProvider = {
    id: root.id,
    kind: root.kind,
    checkValue: () => root.checkValue(),
    wrap: (...call: Parameters<typeof root.wrap>) => root.wrap(...call),
    unwrap: (...call: Parameters<typeof root.unwrap>) => {
      unwraps += 1;
      return root.unwrap(...call);
    },
  };
  const hierarchy = new KeyHierarchy(f.store, [counting]);
  const store = {
    ...f.kms.store,
    transact: f.store.transact.bind(f.store),
    readKey: (...key: Parameters<typeof f.store.readKey>) => {
      reads += 1;
      return f.store.readKey(...key);
    },
  };
  const keyRing = new KeyRing(store, hierarchy, { feed: f.store.changes, memory: new MapCache() });
  const node = { ...f.kms, hierarchy, keyRing };
  // The service's own is opened when it starts.
  await hierarchy.masterKeys(SYSTEM_TENANT);
  unwraps = 0;
  await Promise.all(
    Array.from({ length: 1000 }, async () =>
      encrypt({ kms: node, caller: f.admin }, { keyId, plaintext: randomBytes(8) }),
    ),
  );
  expect({ unwraps, reads }).toEqual({ unwraps: 1, reads: 1 });
});
