import { measureHotRows } from './hot-rows.ts';
import type { Row } from './shares.ts';
import { measureStoreRows } from './store-rows.ts';

/** Measures the rows that the second argument lists, on the PostgreSQL server of the first, and writes the shares of each as JSON. */
const [, , serverUrl = '', list = '[]'] = process.argv;
// `startOnce` writes this.
const rows = JSON.parse(list) as readonly Row[];
const stored = await measureStoreRows(serverUrl, rows, { slices: 12, calls: 150 });
const hot = await measureHotRows(serverUrl, rows, {
  slices: 9,
  requests: 1500,
  warmUp: { first: 25_000, others: 8000 },
});
process.stdout.write(JSON.stringify([...hot, ...stored]));
