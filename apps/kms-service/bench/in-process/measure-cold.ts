import { type KeyHierarchy, KeyRing } from '@qnsp/kms-core/internal';
import { SILENT_FEED } from '@qnsp/kms-core/ports';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase } from '@qnsp/test-harness';
import postgres from 'postgres';
import type { BenchResult } from '../bench.ts';
import { loadKeys } from '../scale/load-keys.ts';
import { compareSides, type SliceOptions } from '../slices.ts';
import { useBareKey } from './bare-key.ts';
import { countReads, type Reads } from './count-reads.ts';
import { openKms } from './open-kms.ts';
import { allHold, verdict } from '../verdict.ts';
import { useColdKey } from './use-cold-key.ts';

const TARGET = 1.5;
/** What opening a store and its connections adds to the counts of this many loads is lost in the rounding. */
const COUNTED = 1000;

/** Measures the load of a key that is neither in memory nor in Redis against a bare select with the same unsealing. */
export async function measureCold(
  serverUrl: string,
  say: (progress: string) => void,
  options: SliceOptions & { readonly keys: number },
): Promise<BenchResult> {
  const database = await createDatabase(serverUrl);
  const opened = await openKms(database.url);
  const { kms, tenantId, chain } = opened;
  const openBare = () => postgres(database.url, { max: 1, fetch_types: false });
  try {
    const keyIds = await loadKeys(database.url, { tenantId, chain }, options.keys);
    const keyOf = (index: number) => keyIds[index % keyIds.length] ?? '';
    const sql = openBare();
    const { base, other, ratio } = await compareSides(
      (index) => useBareKey(sql, chain, tenantId, keyOf(index)),
      (index) => useColdKey(kms.keyRing, tenantId, keyOf(index)),
      options,
    );
    say(`cold key: ${ratio.toFixed(2)} × a bare select`);
    await sql.end();
    await opened.close();

    const bareReads = await countReads(database.url, async () => {
      const counted = openBare();
      for (let index = 0; index < COUNTED; index += 1) await useBareKey(counted, chain, tenantId, keyOf(index));
      await counted.end();
    });
    const reads = await countReads(database.url, () =>
      withFreshStore(database.url, kms.hierarchy, async (ring) => {
        for (let index = 0; index < COUNTED; index += 1) await useColdKey(ring, tenantId, keyOf(index));
      }),
    );
    const held = ratio <= TARGET;
    const rows = [
      [
        'load and unseal',
        milliseconds(base),
        milliseconds(other),
        ratio.toFixed(2),
        `≤ ${TARGET.toFixed(2)}`,
        verdict(held),
      ],
      ...rowsOfReads(bareReads, reads),
    ];
    return {
      columns: ['one cold key', 'bare select and unseal', 'key ring', 'key ring ÷ bare', 'target', 'holds'],
      rows,
      holds: allHold(rows),
      conditions: [
        `in one process, one call after the other, over ${options.keys} AES keys in turn; medians of ${options.slices} slices of ` +
          `${options.calls} calls, in turns; the ratio is the median of the ratios of neighbouring slices`,
        'the bare side selects the same row with postgres.js as a user whom row-level security does not bind, and unseals it ' +
          'into a key object; the key ring reads it under row-level security, checks the MAC of the record and makes the engine',
        `statements and scans as PostgreSQL counts them, each over ${COUNTED} loads; a key and its versions are two tables`,
      ],
    };
  } finally {
    await opened.close();
    await database.drop();
  }
}

/** Runs `work` with a ring on connections of its own. The master keys are in memory already. */
async function withFreshStore(
  databaseUrl: string,
  hierarchy: KeyHierarchy,
  work: (ring: KeyRing) => Promise<void>,
): Promise<void> {
  const opened = await openPostgresStore({ url: databaseUrl, ssl: 'disable', migrate: 'off' });
  try {
    await work(new KeyRing(opened.store, hierarchy, { feed: SILENT_FEED }));
  } finally {
    await opened.close();
  }
}

function rowsOfReads(bare: Reads, ring: Reads): string[][] {
  return (
    [
      ['statements', 'transactions', 1],
      ['index scans', 'indexScans', 2],
      ['sequential scans', 'sequentialScans', 0],
    ] as const
  ).map(([name, field, most]) => {
    const perLoad = [bare[field], ring[field]].map((count) => (count / COUNTED).toFixed(1));
    return [name, ...perLoad, '', `≤ ${most}`, verdict(Number(perLoad[1]) <= most)];
  });
}

function milliseconds(value: number): string {
  return `${value.toFixed(3)} ms`;
}
