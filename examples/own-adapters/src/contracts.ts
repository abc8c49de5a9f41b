import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  changeFeedContract,
  type Contract,
  evidenceStoreContract,
  rootProviderContract,
  storeContract,
} from '@qnsp/kms-core/testing';
import { createSealedRoot, openSealedRoot } from './roots/sealed-file-root.ts';
import { openSqliteStore } from './store/sqlite-store.ts';

/** What the adapters owe, each in a directory of its own that goes with it. */
export const CONTRACTS: readonly Contract[] = [
  storeContract('SQLite store', async () => openInDirectory()),
  changeFeedContract('the feed of the SQLite store', async () => openInDirectory()),
  evidenceStoreContract('the evidence of the SQLite store', async () => openInDirectory()),
  rootProviderContract('root in a sealed file', async () => {
    const { path, remove } = newDirectory();
    const [one, other] = [join(path, 'one.root'), join(path, 'other.root')];
    createSealedRoot(one, 'correct horse');
    createSealedRoot(other, 'correct horse');
    const open = (file: string) => openSealedRoot('own', file, 'correct horse');
    return { root: open(one), sameRoot: open(one), otherRoot: open(other), close: async () => remove() };
  }),
];

function openInDirectory() {
  const { path, remove } = newDirectory();
  const { store, changes, evidence, close } = openSqliteStore(join(path, 'kms.db'));
  return { store, changes, evidence, close: () => close().finally(remove) };
}

function newDirectory() {
  const path = mkdtempSync(join(tmpdir(), 'own-adapters-'));
  return { path, remove: () => rmSync(path, { recursive: true }) };
}
