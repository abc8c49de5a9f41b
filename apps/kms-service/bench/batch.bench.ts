import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { cpuSecondsOfAll } from './load/cpu-time.ts';
import { type BenchService, startBenchService } from './load/start-sides.ts';
import { openTarget, postOf, type Target } from './load/target.ts';
import { median } from './slices.ts';

const ITEMS = 1000;
const BATCHES = 20;
const WARM_UP = 60;
const SLICES = 9;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const plaintext = randomBytes(32).toString('base64');
const key = randomBytes(32);

/** One item of what a batch is measured against: the same cryptography and the same base64, and nothing else. */
function encryptBare(): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const body = cipher.update(Buffer.from(plaintext, 'base64'));
  cipher.final();
  return Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64');
}

function decryptBare(ciphertext: string): string {
  const sealed = Buffer.from(ciphertext, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const opened = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
  decipher.final();
  return opened.toString('base64');
}

interface Measured {
  readonly operation: 'encrypt' | 'decrypt';
  /** The least share of the items per processor-second of the bare loop, and the least number of them. */
  readonly ratio: number;
  readonly perSecond: number;
  readonly bare: () => void;
  /** What an item of the batch is. */
  readonly item: (service: BenchService, keyId: string) => Promise<object> | object;
}

const sealed = encryptBare();
const MEASURED: readonly Measured[] = [
  { operation: 'encrypt', ratio: 0.5, perSecond: 60_000, bare: encryptBare, item: () => ({ plaintext }) },
  {
    operation: 'decrypt',
    ratio: 0.5,
    perSecond: 60_000,
    bare: () => decryptBare(sealed),
    item: async (service, keyId) => {
      const { ciphertext } = await service.call('POST', `keys/${keyId}/encrypt`, { plaintext });
      return { ciphertext };
    },
  },
];

/** Microseconds of processor time of one item, medians of the slices, and the median of the ratios of neighbouring slices. */
async function measure(
  { operation, bare, item }: Measured,
  service: BenchService,
  target: Target,
): Promise<{ readonly loop: number; readonly batch: number; readonly ratio: number }> {
  const { pid } = service.child;
  if (pid === undefined) throw new Error('the service runs');
  const keyId = await service.createKey();
  const one = await item(service, keyId);
  const items = Array.from({ length: ITEMS }, () => one);
  const request = postOf(`/kms/v1/keys/${keyId}/${operation}`, { items }, service.token);
  const loop = (count: number) => {
    for (let index = 0; index < count; index += 1) bare();
  };
  await target.closedLoop(request, WARM_UP);
  loop(WARM_UP * ITEMS);
  const pairs: { readonly loop: number; readonly batch: number }[] = [];
  for (let slice = 0; slice < SLICES; slice += 1) {
    const own = process.cpuUsage();
    loop(BATCHES * ITEMS);
    const { user, system } = process.cpuUsage(own);
    const before = cpuSecondsOfAll(pid);
    await target.closedLoop(request, BATCHES);
    pairs.push({
      loop: (user + system) / (BATCHES * ITEMS),
      batch: ((cpuSecondsOfAll(pid) - before) * 1e6) / (BATCHES * ITEMS),
    });
  }
  return {
    loop: median(pairs.map((pair) => pair.loop)),
    batch: median(pairs.map((pair) => pair.batch)),
    ratio: median(pairs.map((pair) => pair.loop / pair.batch)),
  };
}

const verdict = (holds: boolean) => (holds ? 'yes' : '**no**');

const bench: Bench = {
  name: 'batch',
  summary: `What an item of a batch of ${ITEMS} costs, against a bare loop in one process that does the same to as many.`,
  async run(say) {
    const postgres = await startPostgres();
    const service = await startBenchService(postgres.url);
    const target = await openTarget(service.port, 1);
    try {
      const rows: string[][] = [];
      let holds = true;
      for (const measured of MEASURED) {
        const { operation } = measured;
        const { loop, batch, ratio } = await measure(measured, service, target);
        const perSecond = 1e6 / batch;
        const [fast, many] = [ratio >= measured.ratio, perSecond >= measured.perSecond];
        holds &&= fast && many;
        say(`${operation}: ${ratio.toFixed(2)} of the bare loop, ${perSecond.toFixed(0)} items per CPU-second`);
        rows.push(
          [
            `${operation}, items, batch ÷ loop`,
            `${loop.toFixed(1)} µs`,
            `${batch.toFixed(1)} µs`,
            ratio.toFixed(2),
            `≥ ${measured.ratio.toFixed(2)}`,
            verdict(fast),
          ],
          [
            `${operation}, items per CPU-second`,
            '',
            '',
            perSecond.toFixed(0),
            `≥ ${measured.perSecond}`,
            verdict(many),
          ],
        );
      }
      return {
        columns: ['operation', 'bare loop', 'batch', 'result', 'target', 'holds'],
        rows,
        holds,
        conditions: [
          `items of 32 bytes; processor time, medians of ${SLICES} slices of ${BATCHES} batches, in turns; one connection`,
          'the number of items per CPU-second depends on the machine, the ratio less',
        ],
      };
    } finally {
      target.close();
      await service.stop();
      await postgres.stop();
    }
  },
};

export default bench;
