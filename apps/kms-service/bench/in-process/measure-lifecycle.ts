import type { KeyId } from '@qnsp/kms-core';
import { createKey, rotateKey } from '@qnsp/kms-core/internal';
import { createDatabase } from '@qnsp/test-harness';
import postgres from 'postgres';
import type { BenchResult } from '../bench.ts';
import { loadKeys } from '../scale/load-keys.ts';
import { compareSides, type SliceOptions, type Step } from '../slices.ts';
import { allHold, verdict } from '../verdict.ts';
import { type BareRows, bareRows } from './bare-rows.ts';
import { type OpenedKms, openKms } from './open-kms.ts';

const TARGET = 0.5;
const CONCURRENCIES = [1, 8];

/** Measures what creates and rotates keys against bare transactions that write the same rows. */
export async function measureLifecycle(
  serverUrl: string,
  say: (progress: string) => void,
  options: Pick<SliceOptions, 'slices' | 'calls'>,
): Promise<BenchResult> {
  const database = await createDatabase(serverUrl);
  const opened = await openKms(database.url);
  const sql = postgres(database.url, { max: Math.max(...CONCURRENCIES), fetch_types: false });
  const rows: string[][] = [];
  try {
    const { keyId } = await createKey({ kms: opened.kms, caller: opened.admin }, {});
    const bare = await bareRows(sql, keyId);
    // Keys of its own for each side; none of them comes twice in a slice, so that no call waits for another's lock.
    const [bareKeys, keys] = [
      await loadKeys(database.url, opened, options.calls),
      await loadKeys(database.url, opened, options.calls),
    ];
    for (const concurrency of CONCURRENCIES) {
      for (const { name, onBare, onKms } of OPERATIONS) {
        const sides = [onBare(bare, bareKeys), onKms(opened, keys)] as const;
        const { base, other, ratio } = await compareSides(...sides, { ...options, concurrency });
        const throughput = 1 / ratio;
        const times = [base, other].map((milliseconds) => `${(1000 / milliseconds).toFixed(0)}/s`);
        const target = `≥ ${TARGET.toFixed(2)}`;
        rows.push([name, String(concurrency), ...times, throughput.toFixed(2), target, verdict(throughput >= TARGET)]);
        say(`${name}, ${concurrency} at once: ${throughput.toFixed(2)} of bare transactions`);
      }
    }
  } finally {
    await sql.end();
    await opened.close();
    await database.drop();
  }
  return {
    columns: ['operation', 'at once', 'bare transactions', 'operations', 'operations ÷ bare', 'target', 'holds'],
    rows,
    holds: allHold(rows),
    conditions: [
      `in one process, without HTTP and evidence; AES-256 keys in software; medians of ${options.slices} slices of ${options.calls} ` +
        'calls, in turns; the ratio is the median of the ratios of neighbouring slices',
      'the bare side writes the same columns of the same tables in one `sql.begin` of postgres.js, statement by statement, as a user ' +
        'whom row-level security does not bind; it makes no key, reads nothing and checks nothing',
      'both with durable commits on one PostgreSQL server, with its triggers and constraints',
    ],
  };
}

interface Operation {
  readonly name: string;
  readonly onBare: (bare: BareRows, keyIds: readonly KeyId[]) => Step;
  readonly onKms: (opened: OpenedKms, keyIds: readonly KeyId[]) => Step;
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'create a key',
    onBare: (bare) => () => bare.create(),
    onKms:
      ({ kms, admin }) =>
      () =>
        createKey({ kms, caller: admin }, {}),
  },
  {
    name: 'rotate a key',
    onBare: (bare, keyIds) => (index) => bare.rotate(keyOf(keyIds, index)),
    onKms:
      ({ kms, admin }, keyIds) =>
      (index) =>
        rotateKey({ kms, caller: admin }, { keyId: keyOf(keyIds, index) }),
  },
];

function keyOf(keyIds: readonly KeyId[], index: number): KeyId {
  return keyIds[index % keyIds.length] ?? '';
}
