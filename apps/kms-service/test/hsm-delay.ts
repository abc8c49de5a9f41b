import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultyModule, faultyModule, lostTime } from '@qnsp/test-harness';
import { expect } from 'vitest';
import { type Answer, type LocalService, startLocalService } from './local-service.ts';
import { makeTokens } from './two-tokens.ts';

export const DELAY_MS = 300;
export const POOL_SIZE = 4;
export const QUEUE_LIMIT = 4;
const DATA = Buffer.from('data').toString('base64');
const PROBES = 100;
/** Between two probes of the same kind: together they last a few of the delays. */
const PACE_MS = 15;
/** Fewer than the sessions and the queue hold, so that none is refused. */
const CALLERS = POOL_SIZE + QUEUE_LIMIT;

/** A service whose only HSM is as slow as a test wants it to be. */
export interface SlowHsmService {
  readonly local: LocalService;
  readonly module: FaultyModule;
  /** Signs in the HSM, with one call of it. */
  sign(): Promise<Answer>;
  /** Encrypts with a software key that the service holds in memory. */
  encrypt(): Promise<Answer>;
  end(): Promise<void>;
}

/** Starts it, and uses both keys until nothing has to be read any more. */
export async function startSlowHsmService(): Promise<SlowHsmService> {
  const tokens = await makeTokens(['main']);
  const module = faultyModule(tokens.modulePath);
  const hsm = {
    ...tokens.config('main'),
    modulePath: module.path,
    poolSize: POOL_SIZE,
    queueLimit: QUEUE_LIMIT,
    timeoutMs: 60_000,
  };
  const local = await startLocalService({
    ...tokens.env,
    ...(module.environment as Record<string, string>),
    KMS_PKCS11_CONFIGS_JSON: JSON.stringify([hsm]),
    // Its own work on the HSM would take sessions.
    KMS_JOB_INTERVAL_MS: '3600000',
  });
  const create = async (body: object): Promise<string> => {
    const { status, body: key } = await local.call('POST', '/kms/v1/keys', body);
    expect(status, JSON.stringify(key)).toBe(201);
    return `/kms/v1/keys/${String(key['keyId'])}`;
  };
  const signing = await create({ protectionLevel: 'hsm', algorithm: 'ecdsa-p256' });
  const software = await create({});
  const service: SlowHsmService = {
    local,
    module,
    sign: () => local.call('POST', `${signing}/sign`, { data: DATA }),
    encrypt: () => local.call('POST', `${software}/encrypt`, { plaintext: DATA }),
    async end() {
      module.rules();
      await local.end();
      await module.remove();
      await tokens.remove();
    },
  };
  // Every session meets the key before anything is measured.
  for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: POOL_SIZE }, () => service.sign()));
  await probe(service);
  return service;
}

/** How long answers took that need no HSM, in milliseconds, without the time that the machine kept from test and service. */
export interface Probed {
  readonly livez: number;
  readonly encrypt: number;
}

/**
 * A percentile of each of the two, the 90th without one. They are asked at a steady pace, whether the last answer has come or not: a
 * service that stands still keeps all of them waiting that come meanwhile.
 */
export async function probe(
  { local, encrypt }: SlowHsmService,
  percentile = 90,
  lostIn: typeof lostTime = lostTime,
): Promise<Probed> {
  const begun = performance.now();
  const timed = async (due: number, call: () => Promise<Answer>): Promise<number> => {
    await sleep(Math.max(0, due - performance.now()));
    const [lost, sentAt] = [lostIn(local.service.child.pid), performance.now()];
    const { status } = await call();
    expect(status).toBe(200);
    return Math.max(0, performance.now() - sentAt - lost());
  };
  const percentileOf = async (first: number, call: () => Promise<Answer>): Promise<number> => {
    const durations = await Promise.all(
      Array.from({ length: PROBES }, (_, index) => timed(begun + first + index * PACE_MS, call)),
    );
    return durations.sort((a, b) => a - b)[Math.ceil((PROBES * percentile) / 100) - 1] ?? Infinity;
  };
  const [livez, encrypted] = await Promise.all([
    percentileOf(0, () => local.call('GET', '/livez')),
    percentileOf(PACE_MS / 2, encrypt),
  ]);
  return { livez, encrypt: encrypted };
}

/** Probes while every session of the HSM is at work on a slow call and others wait for one. */
export async function probeWhileBusy(
  service: SlowHsmService,
  percentile?: number,
): Promise<Probed & { readonly signatures: number }> {
  service.module.rules(`C_Sign delay ${DELAY_MS}`);
  let ends = false;
  let signatures = 0;
  const caller = async (): Promise<void> => {
    while (!ends) {
      expect((await service.sign()).status).toBe(200);
      signatures += 1;
    }
  };
  const callers = Promise.all(Array.from({ length: CALLERS }, caller));
  try {
    // The first answer says that all the others are on their way.
    await expect.poll(() => signatures, { timeout: 10_000 }).toBeGreaterThan(0);
    const before = signatures;
    const probed = await probe(service, percentile);
    return { ...probed, signatures: signatures - before };
  } finally {
    ends = true;
    service.module.rules();
    await callers;
  }
}

/** Probes while the service stands still again and again, as it would if it waited for the HSM on its event loop. */
export async function probeWhileHalted(service: SlowHsmService): Promise<Probed> {
  let ends = false;
  const halting = (async () => {
    while (!ends) {
      service.local.service.sigstop();
      await sleep(DELAY_MS);
      service.local.service.sigcont();
      await sleep(DELAY_MS);
    }
  })();
  try {
    // By the clock: what the machine keeps can but add to it.
    return await probe(service, undefined, () => () => 0);
  } finally {
    ends = true;
    await halting;
  }
}
