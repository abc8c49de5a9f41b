import { describe, expect, it } from 'vitest';
import {
  changeFeedContract,
  type Contract,
  evidenceStoreContract,
  InMemoryEvidence,
  type InMemoryStore,
  inMemoryStore,
  storeContract,
} from '../src/testing/index.ts';
import { EVIDENCE_MUTANTS } from './mutants/evidence-mutants.ts';
import { FEED_MUTANTS } from './mutants/feed-mutants.ts';
import { STORE_MUTANTS } from './mutants/store-mutants.ts';

const close = async () => undefined;
const evidenceOf = (store: InMemoryStore) => new InMemoryEvidence(store, () => Date.now());
/** A case of a mutant may wait for something that never comes. */
const PATIENCE_MS = 2000;

/** The first rule that an implementation breaks, by its name; `undefined` for a sound one. */
async function brokenRule({ cases }: Contract): Promise<string | undefined> {
  for (const { name, run } of cases) {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error('it never ended')), PATIENCE_MS);
    const broken = await Promise.race([run(), late.promise]).then(
      () => false,
      () => true,
    );
    clearTimeout(timer);
    if (broken) return name;
  }
  return undefined;
}

describe('the contract of a store', () => {
  it('holds for the store that all mutants are made of', async () => {
    const store = inMemoryStore();
    expect(await brokenRule(storeContract('sound', async () => ({ store, close })))).toBeUndefined();
  });

  it.each(Object.entries(STORE_MUTANTS))('is broken by a store that %s', async (_, mutate) => {
    const store = mutate(inMemoryStore());
    expect(await brokenRule(storeContract('mutant', async () => ({ store, close })))).toEqual(expect.any(String));
  });
});

describe('the contract of a change feed', () => {
  it('holds for the feed that all mutants are made of', async () => {
    const store = inMemoryStore();
    const contract = changeFeedContract('sound', async () => ({ store, changes: store.changes, close }));
    expect(await brokenRule(contract)).toBeUndefined();
  });

  it.each(Object.entries(FEED_MUTANTS))('is broken by a feed that %s', async (_, mutate) => {
    const sound = inMemoryStore();
    const mutant = mutate({ store: sound, changes: sound.changes });
    const contract = changeFeedContract('mutant', async () => ({ ...mutant, close }));
    expect(await brokenRule(contract)).toEqual(expect.any(String));
  });
});

describe('the contract of an evidence store', () => {
  it('holds for the evidence store that all mutants are made of', async () => {
    const store = inMemoryStore();
    const contract = evidenceStoreContract('sound', async () => ({ store, evidence: evidenceOf(store), close }));
    expect(await brokenRule(contract)).toBeUndefined();
  });

  it.each(Object.entries(EVIDENCE_MUTANTS))('is broken by an evidence store that %s', async (_, mutate) => {
    const sound = inMemoryStore();
    const mutant = mutate({ store: sound, evidence: evidenceOf(sound) });
    const contract = evidenceStoreContract('mutant', async () => ({ ...mutant, close }));
    expect(await brokenRule(contract)).toEqual(expect.any(String));
  });
});
