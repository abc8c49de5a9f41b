import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { besideBusyProcessors } from './load/busy-processors.ts';
import { cpuSecondsOfAll } from './load/cpu-time.ts';
import { CONCURRENCY, serviceSide } from './load/encrypt-sides.ts';
import { startSteadyLoader, withoutOwnWaits } from './load/steady-load.ts';
import { openTarget, postOf, type Target } from './load/target.ts';
import { median, percentile } from './slices.ts';

const SLICES = 7;
const SECONDS = 2;
/** Cheap requests that leave the service most of its time. */
const PER_SECOND = 500;
const SIGNERS = 16;
const TARGET = 2;
/** Of what the load and the cheap requests leave. */
const BUSY = 0.8;
const WARM_UP = 15_000;

/** Signs without a pause until told to stop. */
async function keepSigning(target: Target, request: Buffer, goesOn: () => boolean): Promise<void> {
  while (goesOn()) await target.closedLoop(request, 2 * SIGNERS);
}

const bench: Bench = {
  name: 'signing',
  summary: 'How long encrypt takes while ML-DSA-65 signs without a pause, against the same without it.',
  async run(say) {
    const postgres = await startPostgres();
    const cheap = await serviceSide(postgres.url);
    const { service } = cheap;
    const signers = await openTarget(service.port, SIGNERS);
    const loader = await startSteadyLoader();
    try {
      const { pid } = service.child;
      if (pid === undefined) throw new Error('the service runs');
      const key = await service.createKey({ algorithm: 'dilithium-3' });
      const data = { data: randomBytes(32).toString('base64') };
      const sign = postOf(`/kms/v1/keys/${key}/sign`, data, service.token);
      await cheap.target.closedLoop(cheap.request, WARM_UP);
      await signers.closedLoop(sign, 10 * SIGNERS);
      const encryptions = { connections: CONCURRENCY, perSecond: PER_SECOND, count: PER_SECOND * SECONDS };
      const p99 = async () =>
        percentile(
          withoutOwnWaits(await loader.run({ port: service.port, request: cheap.request, ...encryptions })),
          99,
        );
      await p99();
      const pairs: {
        readonly quiet: number;
        readonly others: number;
        readonly beside: number;
        readonly processors: number;
      }[] = [];
      for (let slice = 0; slice < SLICES; slice += 1) {
        const quiet = await p99();
        const others = await besideBusyProcessors(p99);
        let goesOn = true;
        const signing = keepSigning(signers, sign, () => goesOn);
        const own = process.cpuUsage();
        const before = { cpu: cpuSecondsOfAll(pid), at: performance.now() };
        const beside = await p99();
        const seconds = (performance.now() - before.at) / 1000;
        const { user, system } = process.cpuUsage(own);
        const taken = (user + system) / 1e6;
        // Of the processors that the load itself did not take.
        const processors = (cpuSecondsOfAll(pid) - before.cpu) / (availableParallelism() * seconds - taken);
        pairs.push({ quiet, others, beside, processors });
        goesOn = false;
        await signing;
      }
      const ratio = median(pairs.map((pair) => pair.beside / pair.quiet));
      const busy = median(pairs.map((pair) => pair.processors));
      say(`p99 beside signing ${ratio.toFixed(2)} times, ${(100 * busy).toFixed(0)} % of the free processors in use`);
      const verdict = (holds: boolean) => (holds ? 'yes' : '**no**');
      return {
        columns: [
          'encrypt beside ML-DSA-65',
          'without signing',
          'beside other programs',
          'beside it',
          'result',
          'target',
          'holds',
        ],
        rows: [
          [
            'p99',
            `${median(pairs.map((pair) => pair.quiet)).toFixed(2)} ms`,
            `${median(pairs.map((pair) => pair.others)).toFixed(2)} ms`,
            `${median(pairs.map((pair) => pair.beside)).toFixed(2)} ms`,
            ratio.toFixed(2),
            `≤ ${TARGET.toFixed(2)}`,
            verdict(ratio <= TARGET),
          ],
          [
            'share of the free processors in use',
            '',
            '',
            `${(100 * busy).toFixed(0)} %`,
            '',
            `≥ ${100 * BUSY} %`,
            verdict(busy >= BUSY),
          ],
        ],
        holds: ratio <= TARGET && busy >= BUSY,
        conditions: [
          `${PER_SECOND} encryptions a second, timed from when each was due, without what the load itself waited for a processor, as a client on another machine does not; ${SIGNERS} connections that sign without a pause; medians of ${SLICES} slices of ${SECONDS} s, in turns`,
          'load and service share the processors of one machine',
          'the other programs compute and nothing else, one for each processor at the priority of the threads that sign, and nothing is signed: what a call waits beside them is due to the machine and its scheduler',
        ],
      };
    } finally {
      await loader.close();
      signers.close();
      await cheap.stop();
      await postgres.stop();
    }
  },
};

export default bench;
