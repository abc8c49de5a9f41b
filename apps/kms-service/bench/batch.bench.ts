import { createCipheriv, randomBytes } from 'node:crypto';
import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { cpuSecondsOfAll } from './load/cpu-time.ts';
import { startBenchService } from './load/start-sides.ts';
import { openTarget, postOf } from './load/target.ts';
import { median } from './slices.ts';

const ITEMS = 1000;
const BATCHES = 20;
const WARM_UP = 60;
const SLICES = 9;
const RATIO = 0.5;
const PER_SECOND = 60_000;
const plaintext = randomBytes(32).toString('base64');
const key = randomBytes(32);

/** What a batch is measured against: the same cryptography and the same base64, and nothing else. */
function bareLoop(items: number): void {
  for (let index = 0; index < items; index += 1) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    const body = cipher.update(Buffer.from(plaintext, 'base64'));
    cipher.final();
    Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64');
  }
}

const bench: Bench = {
  name: 'batch',
  summary: `What an item of a batch of ${ITEMS} costs, against a bare loop in one process that encrypts as many.`,
  async run(say) {
    const postgres = await startPostgres();
    const service = await startBenchService(postgres.url);
    const target = await openTarget(service.port, 1);
    try {
      const { pid } = service.child;
      if (pid === undefined) throw new Error('the service runs');
      const items = Array.from({ length: ITEMS }, () => ({ plaintext }));
      const request = postOf(`/kms/v1/keys/${await service.createKey()}/encrypt`, { items }, service.token);
      await target.closedLoop(request, WARM_UP);
      bareLoop(WARM_UP * ITEMS);
      const pairs: { readonly bare: number; readonly batch: number }[] = [];
      for (let slice = 0; slice < SLICES; slice += 1) {
        const own = process.cpuUsage();
        bareLoop(BATCHES * ITEMS);
        const { user, system } = process.cpuUsage(own);
        const before = cpuSecondsOfAll(pid);
        await target.closedLoop(request, BATCHES);
        pairs.push({
          bare: (user + system) / (BATCHES * ITEMS),
          batch: ((cpuSecondsOfAll(pid) - before) * 1e6) / (BATCHES * ITEMS),
        });
      }
      const ratio = median(pairs.map((pair) => pair.bare / pair.batch));
      const batch = median(pairs.map((pair) => pair.batch));
      const perSecond = 1e6 / batch;
      say(`${ratio.toFixed(2)} of the bare loop, ${perSecond.toFixed(0)} items per CPU-second`);
      const verdict = (holds: boolean) => (holds ? 'yes' : '**no**');
      const [fast, many] = [ratio >= RATIO, perSecond >= PER_SECOND];
      return {
        columns: ['encrypt', 'bare loop', 'batch', 'result', 'target', 'holds'],
        rows: [
          [
            'items, batch ÷ loop',
            `${median(pairs.map((pair) => pair.bare)).toFixed(1)} µs`,
            `${batch.toFixed(1)} µs`,
            ratio.toFixed(2),
            `≥ ${RATIO.toFixed(2)}`,
            verdict(fast),
          ],
          ['items per CPU-second', '', '', perSecond.toFixed(0), `≥ ${PER_SECOND}`, verdict(many)],
        ],
        holds: fast && many,
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
