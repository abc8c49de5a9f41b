import { createKey, rotateKey } from '@qnsp/kms-core/internal';
import { createDatabase } from '@qnsp/test-harness';
import postgres from 'postgres';
import { useBareKey } from '../in-process/bare-key.ts';
import { bareRows } from '../in-process/bare-rows.ts';
import { openKms } from '../in-process/open-kms.ts';
import { useColdKey } from '../in-process/use-cold-key.ts';
import { loadKeys } from '../scale/load-keys.ts';
import { compareSides, ownCpuMilliseconds, type Step } from '../slices.ts';
import type { Row } from './shares.ts';

export interface StoreOptions {
  readonly slices: number;
  /** How many rotations a slice has, and a quarter of its uses of cold keys. */
  readonly calls: number;
}

/** A rotation is at least so many times as dear as the use of a cold key. */
const CHEAP = 4;

/**
 * Measures rows that read or write the database, in this process, against bare statements of postgres.js that read or write the
 * same. Of each the shares of the slices, of the processor time of this process.
 */
export async function measureStoreRows(
  serverUrl: string,
  rows: readonly Row[],
  { slices, calls: rotations }: StoreOptions,
): Promise<ReadonlyMap<Row, readonly number[]>> {
  const database = await createDatabase(serverUrl);
  const opened = await openKms(database.url);
  const { kms, admin, tenantId, chain } = opened;
  const sql = postgres(database.url, { max: 1, fetch_types: false });
  const shares = new Map<Row, readonly number[]>();
  // They warm up.
  const warmUp = Math.ceil(slices / 3);
  const compare = async (row: Row, calls: number, bare: Step, step: Step) => {
    if (!rows.includes(row)) return;
    const options = { slices: warmUp + slices, calls, clock: ownCpuMilliseconds };
    const { ratios } = await compareSides(bare, step, options);
    shares.set(
      row,
      ratios.slice(warmUp).map((ratio) => 1 / ratio),
    );
  };
  try {
    const pattern = await createKey({ kms, caller: admin }, {});
    const bare = await bareRows(sql, pattern.keyId);
    const load = async () => {
      const keyIds = await loadKeys(database.url, { tenantId, chain }, rotations);
      return (index: number) => keyIds[index % rotations] ?? '';
    };
    const [bareKey, key] = [await load(), await load()];
    await compare(
      'use a cold key',
      rotations * CHEAP,
      (index) => useBareKey(sql, chain, tenantId, key(index)),
      (index) => useColdKey(kms.keyRing, tenantId, key(index)),
    );
    await compare(
      'rotate a key',
      rotations,
      (index) => bare.rotate(bareKey(index)),
      (index) => rotateKey({ kms, caller: admin }, { keyId: key(index) }),
    );
    return shares;
  } finally {
    await sql.end();
    await opened.close();
    await database.drop();
  }
}
