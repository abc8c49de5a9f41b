import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { localCaller, openKms, softwareRoot } from '@qnsp/kms-core';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase } from '@qnsp/test-harness';
import { kmsHttp } from '@qnsp/wire-qnsp';
import { expect, test } from 'vitest';
import { loadKeys } from '../bench/scale/load-keys.ts';

const MEBIBYTE = 1024 * 1024;
/** How much of the text is read between two looks at the heap. */
const LOOK_BYTES = 2 * MEBIBYTE;
/** What may be alive more than at the first look. Far below what the text takes, and above what collections leave behind. */
const MOST_GROWTH_BYTES = 4 * MEBIBYTE;

function heap(): number {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
  gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The bill of materials of so many keys on PostgreSQL takes the memory of one page, as a test. */
export function inventoryMemoryRules(keys: number, timeoutMs: number): void {
  test(
    `the bill of materials of ${keys} keys comes whole, in constant memory`,
    async () => {
      const database = await createDatabase();
      const storage = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
      const kms = await openKms({
        storage,
        roots: softwareRoot('software', randomBytes(32)),
        alert: (alert) => expect.fail(alert.message),
      });
      try {
        const tenantId = await kms.ensureTenant('many');
        const chain = await kms.parts.hierarchy.masterKeys(tenantId);
        await loadKeys(database.url, { tenantId, chain }, keys);
        const { app } = kmsHttp({
          kms,
          authenticate: () => localCaller({ tenantId, subject: 'aud', role: 'auditor' }),
          log: console,
        });
        const { status, body } = await app.request('/kms/v1/inventory/cyclonedx');
        expect(status).toBe(200);
        if (body === null) throw new Error('there is no body');
        const { bytes, keysFound, growth, tail } = await readThrough(body);
        expect({ keysFound, tail }).toEqual({
          keysFound: keys,
          tail: '],"compositions":[{"aggregate":"complete"}]}\n',
        });
        expect(bytes).toBeGreaterThan(4 * MOST_GROWTH_BYTES);
        expect(growth).toBeLessThan(MOST_GROWTH_BYTES);
      } finally {
        await kms.close();
        await database.drop();
      }
    },
    timeoutMs,
  );
}

const KEY = Buffer.from('"related-crypto-material"');
const TAIL_BYTES = 45;

/** Reads a text and forgets it; a component is within one piece. */
async function readThrough(body: ReadableStream<Uint8Array>) {
  let bytes = 0;
  let keysFound = 0;
  let looked = 0;
  let first: number | undefined;
  let growth = 0;
  let tail = Buffer.alloc(0);
  for await (const piece of body) {
    const text = Buffer.from(piece);
    for (let at = text.indexOf(KEY); at !== -1; at = text.indexOf(KEY, at + KEY.length)) keysFound += 1;
    bytes += text.length;
    tail = Buffer.from(Buffer.concat([tail, text.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES));
    if (bytes - looked < LOOK_BYTES) continue;
    looked = bytes;
    const now = heap();
    first ??= now;
    growth = Math.max(growth, now - first);
  }
  return { bytes, keysFound, growth, tail: tail.toString() };
}
