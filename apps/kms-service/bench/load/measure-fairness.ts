import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchResult } from '../bench.ts';
import { median, percentile } from '../slices.ts';
import { allHold, verdict } from '../verdict.ts';
import { besideBusyProcessors } from './busy-processors.ts';
import { cpuSecondsOfThreads, eventLoopWaitedSeconds, idleSeconds } from './cpu-time.ts';
import { type BenchService, startBenchService } from './start-sides.ts';
import { type SteadyLoader, startSteadyLoader, withoutOwnWaits } from './steady-load.ts';
import { openTarget, postOf, type Target } from './target.ts';

/** What the first tenant sends, and how long the second one is measured. */
export interface FairnessOptions {
  /** Of the signatures in the batches. */
  readonly algorithm: string;
  readonly connections: number;
  /** Of each batch; none of them may end while anything is measured. */
  readonly items: number;
  readonly slices: number;
  /** How long each kind of call is measured in each slice. */
  readonly seconds: number;
  /** Encryptions of the second tenant. */
  readonly perSecond: number;
  /** Encryptions that do not count. */
  readonly warmUp: number;
}

const DATA = randomBytes(32).toString('base64');
const ENCRYPT_TIMES = 2;
const SLOW_JOBS = 2;
/** Of the processors that nobody else uses. */
const SHARE = 0.8;
const SLOW_SAMPLES = 3;

/** The calls of the second tenant, each over one connection. */
interface Calls {
  readonly encrypt: Buffer;
  readonly sign: Buffer;
  readonly create: Buffer;
}

/** How long calls took at the 99th percentile, in milliseconds. */
interface Times {
  /** But for what the load itself waited for a processor. */
  readonly encrypt: number;
  readonly withLoad: number;
  /** How long the event loop waited for a processor, in all, for each encryption. */
  readonly eventLoop: number;
  readonly sign: number;
  readonly create: number;
}

/** Where calls of the second tenant go, and come from. */
interface Sides {
  readonly service: BenchService;
  readonly loader: SteadyLoader;
}

/** What is measured of encryptions. */
type Encryptions = Pick<Times, 'encrypt' | 'withLoad' | 'eventLoop'>;

interface Slice {
  readonly alone: Times;
  /** Beside programs that have nothing to do with the service. */
  readonly besideOthers: Encryptions;
  readonly beside: Times;
  /** What the pool had of what nobody else used, while the second tenant encrypted. */
  readonly share: number;
}

/** Measures what one tenant notices of another that sends batches of slow signatures. */
export async function measureFairness(
  serverUrl: string,
  say: (progress: string) => void,
  options: FairnessOptions,
): Promise<BenchResult> {
  const service = await startBenchService(serverUrl);
  const loader = await startSteadyLoader();
  const sides: Sides = { service, loader };
  try {
    const key = await service.createKey({ algorithm: options.algorithm });
    const slow = await slowJob(service, key);
    const items = Array.from({ length: options.items }, () => ({ data: DATA }));
    const batch = postOf(`/kms/v1/keys/${key}/sign`, { items }, service.token);
    const calls = await callsOf(service);
    await over(service, async (connection) => {
      await connection.closedLoop(calls.encrypt, options.warmUp);
      await connection.closedLoop(calls.sign, Math.ceil(options.warmUp / 50));
    });
    await steady(sides, calls, options);
    const slices: Slice[] = [];
    for (let index = 0; index < options.slices; index += 1) {
      const alone = await times(sides, calls, options);
      const besideOthers = await besideBusyProcessors(() => steady(sides, calls, options));
      const [beside, share] = await whileBusy(service, batch, options, () => measureBeside(sides, calls, options));
      slices.push({ alone, besideOthers, beside, share });
      say(
        `encrypt ${show(alone.encrypt)}, ${show(besideOthers.encrypt)} → ${show(beside.encrypt)}, sign ${show(alone.sign)} → ${show(beside.sign)}`,
      );
    }
    return resultOf(slices, slow, options);
  } finally {
    await loader.close();
    await service.stop();
  }
}

/** How long one signature takes alone, from the client's side. */
async function slowJob(service: BenchService, key: string): Promise<number> {
  const samples: number[] = [];
  for (let index = 0; index < SLOW_SAMPLES; index += 1) {
    const sent = performance.now();
    await service.call('POST', `keys/${key}/sign`, { data: DATA });
    samples.push(performance.now() - sent);
  }
  return median(samples);
}

async function callsOf(service: BenchService): Promise<Calls> {
  const { token, createKey } = await service.newTenant();
  const [aes, lattice] = [await createKey(), await createKey({ algorithm: 'dilithium-3' })];
  return {
    encrypt: postOf(`/kms/v1/keys/${aes}/encrypt`, { plaintext: DATA }, token),
    sign: postOf(`/kms/v1/keys/${lattice}/sign`, { data: DATA }, token),
    create: postOf('/kms/v1/keys', { algorithm: 'dilithium-3' }, token),
  };
}

async function times(sides: Sides, calls: Calls, options: FairnessOptions): Promise<Times> {
  const milliseconds = 1000 * options.seconds;
  const encryptions = await steady(sides, calls, options);
  return over(sides.service, async (connection) => ({
    ...encryptions,
    sign: percentile(await connection.closedLoopFor(calls.sign, milliseconds), 99),
    create: percentile(await connection.closedLoopFor(calls.create, milliseconds), 99),
  }));
}

/** Does something with a connection of its own: the service closes one that was kept open for nothing. */
async function over<T>({ port }: BenchService, use: (connection: Target) => Promise<T>): Promise<T> {
  const connection = await openTarget(port, 1);
  try {
    return await use(connection);
  } finally {
    connection.close();
  }
}

/** Encryptions at a steady rate. */
async function steady(
  { service, loader }: Sides,
  { encrypt: request }: Calls,
  { perSecond, seconds }: FairnessOptions,
): Promise<Encryptions> {
  const pid = pidOf(service);
  const count = perSecond * seconds;
  const before = eventLoopWaitedSeconds(pid);
  const answers = await loader.run({ port: service.port, connections: 1, request, perSecond, count });
  return {
    encrypt: percentile(withoutOwnWaits(answers), 99),
    withLoad: percentile(
      answers.map(({ took }) => took),
      99,
    ),
    eventLoop: (1000 * (eventLoopWaitedSeconds(pid) - before)) / count,
  };
}

async function measureBeside(sides: Sides, calls: Calls, options: FairnessOptions): Promise<readonly [Times, number]> {
  const pid = pidOf(sides.service);
  const used = () => ({ pool: cpuSecondsOfThreads(pid, 'libuv-worker'), idle: idleSeconds() });
  const before = used();
  await steady(sides, calls, options);
  const after = used();
  const pool = after.pool - before.pool;
  return [await times(sides, calls, options), pool / (pool + after.idle - before.idle)];
}

function pidOf({ child: { pid } }: BenchService): number {
  if (pid === undefined) throw new Error('the service runs');
  return pid;
}

/** Has the first tenant send its batches while something is measured, and ends when nothing of them runs any more. */
async function whileBusy<T>(
  service: BenchService,
  batch: Buffer,
  { connections }: FairnessOptions,
  measure: () => Promise<T>,
): Promise<T> {
  const busy = await openTarget(service.port, connections);
  const load = busy.closedLoop(batch, connections).then((): never => {
    throw new Error('a batch ended before everything was measured: it needs more items');
  });
  const measured = (async () => {
    while ((await longJobs(service)).waiting < connections) await sleep(20);
    return measure();
  })();
  try {
    return await Promise.race([measured, load]);
  } finally {
    // The batches are never answered, and so the load does not end either.
    busy.close();
    for (let { waiting, running } = await longJobs(service); waiting + running > 0; ) {
      await sleep(50);
      ({ waiting, running } = await longJobs(service));
    }
  }
}

async function longJobs({ baseUrl }: BenchService): Promise<{ readonly waiting: number; readonly running: number }> {
  const metrics = await (await fetch(`${baseUrl}/metrics`)).text();
  const of = (name: string) => Number(new RegExp(`^kms_jobs_${name}\\{kind="long"\\} (\\d+)$`, 'm').exec(metrics)?.[1]);
  return { waiting: of('waiting'), running: of('running') };
}

function resultOf(slices: readonly Slice[], slow: number, options: FairnessOptions): BenchResult {
  const middle = (of: (slice: Slice) => number) => median(slices.map(of));
  const encrypt = middle(({ alone, beside }) => beside.encrypt / alone.encrypt);
  const row = (what: string, kind: keyof Times, bound: string, holds: boolean | undefined) => [
    what,
    show(middle(({ alone }) => alone[kind])),
    kind === 'sign' || kind === 'create' ? '' : show(middle(({ besideOthers }) => besideOthers[kind])),
    show(middle(({ beside }) => beside[kind])),
    bound,
    holds === undefined ? '' : verdict(holds),
  ];
  const jobs = (what: string, kind: 'sign' | 'create') => {
    const most = middle(({ alone }) => alone[kind]) + SLOW_JOBS * slow;
    const holds = middle(({ beside }) => beside[kind]) <= most;
    return row(what, kind, `≤ ${show(most)}: alone, and ${SLOW_JOBS} slow signatures`, holds);
  };
  const share = middle((slice) => slice.share);
  const rows = [
    row(
      'encrypt, AES-256-GCM, p99',
      'encrypt',
      `≤ ${ENCRYPT_TIMES} × alone: ${encrypt.toFixed(2)}`,
      encrypt <= ENCRYPT_TIMES,
    ),
    row('the same as the load saw it, which shares the processors', 'withLoad', '', undefined),
    row('the event loop waits for a processor, for each', 'eventLoop', '', undefined),
    jobs('sign, ML-DSA-65, p99', 'sign'),
    jobs('create a key, ML-DSA-65, p99', 'create'),
    [
      'the first tenant, of the free processors',
      '',
      '',
      `${(100 * share).toFixed(0)} %`,
      `≥ ${100 * SHARE} %`,
      verdict(share >= SHARE),
    ],
  ];
  return {
    columns: ['a second tenant', 'alone', 'beside other programs', 'beside the batches', 'bound', 'holds'],
    rows,
    holds: allHold(rows),
    conditions: [
      `the first tenant sends batches of ${options.items} signatures with ${options.algorithm} over ${options.connections} connections; one such signature alone takes ${show(slow)}`,
      `the second one has one connection: ${options.perSecond} encryptions a second, timed from when each was due, without what the load itself waited for a processor, as a client on another machine does not; signatures and keys each as soon as the one before is answered`,
      `medians of ${options.slices} slices of ${options.seconds} s for each kind of call, in turns with and without the batches`,
      'the other programs compute and nothing else, one for each processor at the priority of the threads that sign, and the batches are not sent: what a call waits beside them is due to the machine and its scheduler',
      'free is what no other process of the machine uses; the threads that sign have this part of it',
    ],
  };
}

function show(milliseconds: number): string {
  return `${milliseconds.toFixed(milliseconds < 100 ? 2 : 0)} ms`;
}
