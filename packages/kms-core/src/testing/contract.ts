/** One rule that an implementation owes, as a test that needs no framework: it throws when the rule is broken. */
export interface ContractCase {
  readonly name: string;
  run(this: void): Promise<void>;
}

/** The rules that one implementation of a port owes. Opened for the first case that runs, unless it was before. */
export interface Contract {
  readonly name: string;
  /** May run in any order, and each of them alone, but not side by side. */
  readonly cases: readonly ContractCase[];
  open(this: void): Promise<void>;
  close(this: void): Promise<void>;
}

/** What a test framework has to offer. Vitest has these names; `beforeAll` and `afterAll` of `node:test` are `before` and `after`. */
export interface TestFramework {
  describe(this: void, name: string, body: () => void): unknown;
  it(this: void, name: string, body: () => Promise<void>): unknown;
  beforeAll(this: void, prepare: () => Promise<void>): unknown;
  afterAll(this: void, cleanUp: () => Promise<void>): unknown;
}

/**
 * Declares the cases of a contract as tests: of `node:test`, as in the example, or with vitest by
 * `declareContract(contract, { describe, it, beforeAll, afterAll })`.
 *
 * @example
 * import { after, before, describe, it } from 'node:test';
 * import { declareContract, MapCache, memoryCacheContract } from '@qnsp/kms-core/testing';
 * const contract = memoryCacheContract('my cache', (maxEntries, maxBytes) => new MapCache(maxEntries, maxBytes));
 * declareContract(contract, { describe, it, beforeAll: before, afterAll: after });
 */
export function declareContract(contract: Contract, { describe, it, beforeAll, afterAll }: TestFramework): void {
  describe(contract.name, () => {
    beforeAll(contract.open);
    afterAll(contract.close);
    for (const { name, run } of contract.cases) it(name, run);
  });
}

/** A case that failed, and how. */
export interface BrokenRule {
  readonly name: string;
  readonly error: unknown;
}

/**
 * Runs the cases of a contract one after another without any framework, and closes what it opened.
 *
 * @returns the rules that are broken; none when the implementation is sound
 */
export async function brokenRules(contract: Contract): Promise<readonly BrokenRule[]> {
  const broken: BrokenRule[] = [];
  try {
    for (const { name, run } of contract.cases)
      await run().catch((error: unknown) => {
        broken.push({ name, error });
      });
  } finally {
    await contract.close();
  }
  return broken;
}

/** Where the rules of a contract are written down. */
export interface Rules {
  it(this: void, name: string, check: () => unknown): void;
  describe(this: void, name: string, rules: () => void): void;
  /** Does something once, before the first case of this group that runs. */
  before(this: void, prepare: () => unknown): void;
}

/**
 * A contract about something that is opened once for all its cases.
 *
 * @param write writes the rules down; what is opened can be had from within a case
 */
export function contractOf<T extends { close(): Promise<void> }>(
  name: string,
  open: () => Promise<T>,
  write: (rules: Rules, opened: () => T) => void,
): Contract {
  let opening: Promise<T> | undefined;
  let opened: T | undefined;
  const openOnce = async (): Promise<void> => {
    opening ??= open();
    opened = await opening;
  };
  const prepared = new Map<() => unknown, Promise<unknown>>();
  const cases: ContractCase[] = [];
  let group: Group = { path: [], preparations: [] };
  const rules: Rules = {
    it: (title, check) => {
      const { path, preparations } = group;
      const run = async (): Promise<void> => {
        await openOnce();
        for (const prepare of preparations) await prepare();
        await check();
      };
      cases.push({ name: [...path, title].join(' > '), run });
    },
    describe: (title, body) => {
      const outer = group;
      group = { path: [...outer.path, title], preparations: [...outer.preparations] };
      body();
      group = outer;
    },
    before: (prepare) => {
      group.preparations.push(async () => {
        const begun = prepared.get(prepare) ?? (async () => prepare())();
        prepared.set(prepare, begun);
        await begun;
      });
    },
  };
  write(rules, () => {
    if (opened === undefined) throw new Error(`${name} is not open: ask for it within a case`);
    return opened;
  });
  const close = async (): Promise<void> => {
    const last = opened;
    opening = undefined;
    opened = undefined;
    prepared.clear();
    await last?.close();
  };
  return { name, cases, open: openOnce, close };
}

/** A contract whose every case tries something of its own. */
export function contractOfTrials(name: string, write: (rules: Rules) => void): Contract {
  return contractOf(name, async () => ({ close: async () => undefined }), write);
}

interface Group {
  readonly path: readonly string[];
  readonly preparations: (() => Promise<void>)[];
}
