import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, type Service, startService } from '@qnsp/test-harness';
import { evidenceEnv, startReceiver } from '../../test/evidence-sample.ts';
import { median, runLoad, waitingEvents } from '../../test/load.ts';
import { send } from '../../test/local-service.ts';
import type { BenchResult } from '../bench.ts';

const CONCURRENCY = 64;
const PLAINTEXT_BYTES = 256;
const LEAST_RATIO = 0.6;
const MOST_ADDED_MS = 5;
const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;

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
}

interface Side {
  readonly service: Service;
  measure(milliseconds: number): Promise<Round>;
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
      await startSide(postgresUrl, evidenceEnv(receiver.url)),
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
    await Promise.all(sides.map(({ service }) => service.stop()));
    await receiver.close();
  }
}

async function startSide(postgresUrl: string, env: Record<string, string>): Promise<Side> {
  const database = await createDatabase(postgresUrl);
  const service = await startService({
    env: {
      DATABASE_URL: database.url,
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      KMS_PLATFORM_TOKEN: PLATFORM,
      LOG_LEVEL: 'warn',
      ...env,
    },
  });
  const call = (path: string, body: object, headers = {}) =>
    send(`${service.baseUrl}/kms/v1/${path}`, 'POST', PLATFORM, body, headers);
  const headers = { 'x-qnsp-tenant': String((await call('tenants', { name: 'cost' })).body['tenantId']) };
  const token = String((await call('tokens', { name: 'load', role: 'tenant_admin' }, headers)).body['token']);
  const key = await call('keys', {}, headers);
  const path = `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`;
  const body = JSON.stringify({ plaintext: randomBytes(PLAINTEXT_BYTES).toString('base64'), context: { order: '42' } });
  const measure = async (milliseconds: number): Promise<Round> => {
    const started = performance.now();
    const end = started + milliseconds;
    const more = () => performance.now() < end;
    const baseUrl = () => service.baseUrl;
    const outcomes = await runLoad({ baseUrl, path, token, body, concurrency: CONCURRENCY, prefix: 'c', more });
    const failed = outcomes.find(({ status }) => status !== 200);
    if (failed !== undefined) throw new Error(`an encrypt was answered ${failed.status}`);
    const perSecond = (outcomes.length * 1000) / (performance.now() - started);
    // What is left to be sealed and delivered must not run into the round that comes after.
    while ((await waitingEvents(service)) > 0) await sleep(20);
    const sustainedPerSecond = (outcomes.length * 1000) / (performance.now() - started);
    return { perSecond, sustainedPerSecond, medianMs: median(outcomes.map((outcome) => outcome.milliseconds)) };
  };
  return { service, measure };
}

function resultOf(
  measured: readonly { readonly off: Round; readonly on: Round }[],
  { rounds, roundMs, warmUpMs }: EvidenceBenchOptions,
): BenchResult {
  const middle = (of: (round: (typeof measured)[number]) => number) => median(measured.map(of));
  const ratio = middle(({ off, on }) => on.perSecond / off.perSecond);
  const sustained = middle(({ off, on }) => on.sustainedPerSecond / off.sustainedPerSecond);
  const added = middle(({ off, on }) => on.medianMs - off.medianMs);
  const [fast, quick] = [ratio >= LEAST_RATIO, added <= MOST_ADDED_MS];
  const perSecond = (value: number) => `${value.toFixed(0)}/s`;
  const milliseconds = (value: number) => `${value.toFixed(1)} ms`;
  const verdict = (holds: boolean) => (holds ? 'yes' : '**no**');
  return {
    conditions: [
      `${CONCURRENCY} connections, each sends its next request when it has its answer; medians of ${rounds} rounds of ${roundMs / 1000} s, in turns, after ${warmUpMs / 1000} s that do not count; with ÷ without and added time are medians over neighbouring rounds`,
      `AES-256-GCM of ${PLAINTEXT_BYTES} bytes; both services on one PostgreSQL server with \`synchronous_commit=on\` and \`fsync=on\`; the load and the receiver of the evidence run on the same machine`,
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
