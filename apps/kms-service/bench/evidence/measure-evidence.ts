import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { evidenceEnv } from '../../test/evidence-sample.ts';
import { median, waitingEvents } from '../../test/load.ts';
import type { BenchResult } from '../bench.ts';
import { startBenchService } from '../load/start-sides.ts';
import { cpuSecondsOfAll } from '../load/cpu-time.ts';
import { openTarget, postOf } from '../load/target.ts';
import { startReceiver } from './start-receiver.ts';

const CONCURRENCY = 64;
const PLAINTEXT_BYTES = 256;
const LEAST_RATIO = 0.6;
const MOST_ADDED_MS = 5;

export interface EvidenceBenchOptions {
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
}

interface Round {
  readonly perSecond: number;
  /** With the time that what was left to seal and deliver took afterwards. */
  readonly sustainedPerSecond: number;
  readonly medianMs: number;
  /** Processor time of the service for each request, until everything is delivered. */
  readonly cpuMicros: number;
}

interface Side {
  measure(milliseconds: number): Promise<Round>;
  stop(): Promise<void>;
}

/** Measures encrypts with and without evidence in turns, so that other work on the machine meets both. */
export async function measureEvidence(
  postgresUrl: string,
  say: (progress: string) => void,
  { rounds, roundMs, warmUpMs }: EvidenceBenchOptions,
): Promise<BenchResult> {
  const receiver = await startReceiver();
  const sides: Side[] = [];
  try {
    const [without, having] = [
      await startSide(postgresUrl, {}),
      await startSide(postgresUrl, evidenceEnv(receiver.baseUrl)),
    ];
    sides.push(without, having);
    for (const side of sides) await side.measure(warmUpMs);
    const measured: { readonly off: Round; readonly on: Round }[] = [];
    for (let round = 0; round < rounds; round += 1) {
      measured.push({ off: await without.measure(roundMs), on: await having.measure(roundMs) });
      say(`round ${round + 1} of ${rounds}`);
    }
    return resultOf(measured, { rounds, roundMs, warmUpMs });
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
    await receiver.stop();
  }
}

async function startSide(postgresUrl: string, env: Record<string, string>): Promise<Side> {
  const service = await startBenchService(postgresUrl, { LOG_LEVEL: 'warn', ...env });
  const body = { plaintext: randomBytes(PLAINTEXT_BYTES).toString('base64'), context: { order: '42' } };
  const request = postOf(`/kms/v1/keys/${await service.createKey()}/encrypt`, body, service.token);
  const { pid } = service.child;
  if (pid === undefined) throw new Error('the service runs');
  return {
    measure: async (milliseconds) => {
      // A connection would not stay open while the other side still seals and delivers what its round left.
      const target = await openTarget(service.port, CONCURRENCY);
      const cpuBefore = cpuSecondsOfAll(pid);
      const started = performance.now();
      const took = await target.closedLoopFor(request, milliseconds);
      const perSecond = (took.length * 1000) / (performance.now() - started);
      target.close();
      // What is left to be sealed and delivered must not run into the round that comes after.
      while ((await waitingEvents(service)) > 0) await sleep(20);
      const sustainedPerSecond = (took.length * 1000) / (performance.now() - started);
      const cpuMicros = ((cpuSecondsOfAll(pid) - cpuBefore) * 1e6) / took.length;
      return { perSecond, sustainedPerSecond, medianMs: median(took), cpuMicros };
    },
    stop: () => service.stop(),
  };
}

function resultOf(
  measured: readonly { readonly off: Round; readonly on: Round }[],
  { rounds, roundMs, warmUpMs }: EvidenceBenchOptions,
): BenchResult {
  const middle = (of: (round: (typeof measured)[number]) => number) => median(measured.map(of));
  const ratio = middle(({ off, on }) => on.perSecond / off.perSecond);
  const sustained = middle(({ off, on }) => on.sustainedPerSecond / off.sustainedPerSecond);
  const dearer = middle(({ off, on }) => off.cpuMicros / on.cpuMicros);
  const added = middle(({ off, on }) => on.medianMs - off.medianMs);
  const [fast, quick] = [ratio >= LEAST_RATIO, added <= MOST_ADDED_MS];
  const perSecond = (value: number) => `${value.toFixed(0)}/s`;
  const micros = (value: number) => `${value.toFixed(1)} µs`;
  const milliseconds = (value: number) => `${value.toFixed(1)} ms`;
  const verdict = (holds: boolean) => (holds ? 'yes' : '**no**');
  return {
    conditions: [
      `${CONCURRENCY} connections, each sends its next request when it has its answer; medians of ${rounds} rounds of ${roundMs / 1000} s, in turns, after ${warmUpMs / 1000} s that do not count; with ÷ without and added time are medians over neighbouring rounds`,
      `AES-256-GCM of ${PLAINTEXT_BYTES} bytes; both services on one PostgreSQL server with \`synchronous_commit=on\` and \`fsync=on\`; the load and the receiver of the evidence run on the same machine, each as a process of its own`,
      'processor time of the service for each request, with what seals and delivers; that of PostgreSQL and of the receiver is not in it',
      'delivered: with the time until everything was sealed, delivered and stored by the receiver',
    ],
    columns: ['encrypt', 'without evidence', 'with evidence', 'with against without', 'target', 'holds'],
    rows: [
      [
        'throughput',
        perSecond(middle(({ off }) => off.perSecond)),
        perSecond(middle(({ on }) => on.perSecond)),
        ratio.toFixed(2),
        `≥ ${LEAST_RATIO.toFixed(2)}`,
        verdict(fast),
      ],
      [
        'throughput, delivered',
        perSecond(middle(({ off }) => off.sustainedPerSecond)),
        perSecond(middle(({ on }) => on.sustainedPerSecond)),
        sustained.toFixed(2),
        '–',
        '–',
      ],
      [
        'requests per processor-second',
        micros(middle(({ off }) => off.cpuMicros)),
        micros(middle(({ on }) => on.cpuMicros)),
        dearer.toFixed(2),
        '–',
        '–',
      ],
      [
        'median time',
        milliseconds(middle(({ off }) => off.medianMs)),
        milliseconds(middle(({ on }) => on.medianMs)),
        `${added >= 0 ? '+' : ''}${milliseconds(added)}`,
        `≤ +${MOST_ADDED_MS} ms`,
        verdict(quick),
      ],
    ],
    holds: fast && quick,
  };
}
