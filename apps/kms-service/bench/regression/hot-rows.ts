import { compareCpu } from '../load/compare-cpu.ts';
import { CONCURRENCY } from '../load/encrypt-sides.ts';
import { DECRYPT, ENCRYPT, encryptBatch, SIGN_ED25519, SIGN_P256, sidesOf } from '../load/hot-operations.ts';
import { startBenchService, startFloor } from '../load/start-sides.ts';
import { openTarget } from '../load/target.ts';
import type { Row } from './shares.ts';

export interface HotOptions {
  /** How many slices of each side count. */
  readonly slices: number;
  /** How many requests a slice has; of batches a twentieth. */
  readonly requests: number;
  /** How many requests each side gets before the first row, and before each of the others. */
  readonly warmUp: { readonly first: number; readonly others: number };
}

const OPERATIONS = [ENCRYPT, DECRYPT, SIGN_ED25519, SIGN_P256, encryptBatch(100)] as const;
const BATCH = encryptBatch(100).name;
/** A request with a batch of 100 is about so many times as dear as one encryption. */
const DEAR = 20;

/** Measures rows under keys in memory, over HTTP, against the floor. Of each the shares of the slices. */
export async function measureHotRows(
  serverUrl: string,
  rows: readonly Row[],
  { slices, requests, warmUp }: HotOptions,
): Promise<ReadonlyMap<Row, readonly number[]>> {
  const operations = OPERATIONS.filter(({ name }) => rows.includes(name));
  const shares = new Map<Row, readonly number[]>();
  if (operations.length === 0) return shares;
  const floor = await startFloor();
  const service = await startBenchService(serverUrl);
  const [bare, served] = [
    { service: floor, target: await openTarget(floor.port, CONCURRENCY) },
    { service, target: await openTarget(service.port, CONCURRENCY) },
  ];
  try {
    for (const operation of operations) {
      const fewer = operation.name === BATCH ? DEAR : 1;
      const before = shares.size === 0 ? warmUp.first : warmUp.others;
      const options = { slices, requests: Math.ceil(requests / fewer), warmUp: Math.ceil(before / fewer) };
      const { ratios } = await compareCpu(...(await sidesOf(operation, bare, served)), options);
      shares.set(operation.name, ratios);
    }
    return shares;
  } finally {
    bare.target.close();
    served.target.close();
    await service.stop();
    await floor.stop();
  }
}
