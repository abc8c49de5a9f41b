import { randomBytes } from 'node:crypto';
import { openKms, softwareRoot } from '@qnsp/kms-core';
import { apiTokenVerifier, KNOWN_ANSWERS, RECORD_FORMATS } from '@qnsp/kms-core/internal';
import { inMemoryStorage } from '@qnsp/kms-core/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { openCaches } from '../src/caches.ts';
import { readConfig } from '../src/config/env.ts';
import { httpOf } from '../src/http-of.ts';
import { listen, type Listening } from '../src/http/listen.ts';
import { makeLogs } from '../src/http/logger.ts';
import { makeMetrics } from '../src/metrics.ts';
import { makeClockSkew } from '../src/clock-skew.ts';
import { makeReadiness } from '../src/readiness.ts';
import type { ServiceParts } from '../src/service-parts.ts';
import { runSelfTest } from '../src/self-test.ts';
import { send } from './local-service.ts';

let listening: Listening | undefined;
afterEach(async () => {
  await listening?.stop();
});

async function startApp() {
  const logs = makeLogs({ logLevel: 'silent' });
  const config = readConfig({ PORT: '0', HOST: '127.0.0.1', KMS_ROOT_KEY: randomBytes(32).toString('base64') });
  const storage = inMemoryStorage();
  const caches = openCaches(config.cache, storage.changes, logs.log);
  const opened = await openKms({
    storage,
    roots: softwareRoot('software', randomBytes(32)),
    alert: () => undefined,
    cache: caches.open,
    supervised: { formats: RECORD_FORMATS },
  });
  const kms = opened.parts;
  const readiness = makeReadiness();
  const parts: ServiceParts = {
    opened,
    kms,
    verifiers: [apiTokenVerifier(kms)],
    caches,
    logs,
    readiness,
    skew: makeClockSkew(undefined, 0),
    fleet: { check: () => undefined },
    metrics: makeMetrics(kms, caches, false),
    version: '0',
    transport: () => ({ status: 'ok' }),
    writeProblem: async () => undefined,
    hardware: { configured: false, randomIsMissing: () => false },
    protocols: async () => [],
    sweeps: () => [],
  };
  listening = await listen(httpOf(parts), config);
  readiness.started();
  return { readiness, log: logs.log, baseUrl: listening.baseUrl };
}

describe('the power-on self test', () => {
  test('keeps /readyz red and every operation refused when one known answer comes out wrong', async () => {
    const { readiness, log, baseUrl } = await startApp();
    const answers = KNOWN_ANSWERS.filter((answer) => answer.algorithm !== 'dilithium-3');
    await runSelfTest(readiness, log, { requireFips: false, answers });
    const ready = await send(`${baseUrl}/readyz`, 'GET', undefined);
    expect(ready).toMatchObject({
      status: 503,
      body: { status: 'critical', checks: { selfTest: { message: expect.stringContaining('dilithium-3') } } },
    });
    expect(await send(`${baseUrl}/kms/v1/keys`, 'GET', 'any')).toMatchObject({ status: 503, body: { code: 'SEALED' } });
    expect((await send(`${baseUrl}/livez`, 'GET', undefined)).status).toBe(200);
  });

  test('turns /readyz green when every known answer comes out right', async () => {
    const { readiness, log, baseUrl } = await startApp();
    expect((await send(`${baseUrl}/readyz`, 'GET', undefined)).status).toBe(503);
    await runSelfTest(readiness, log, { requireFips: false });
    expect((await send(`${baseUrl}/readyz`, 'GET', undefined)).status).toBe(200);
    expect((await send(`${baseUrl}/kms/v1/keys`, 'GET', 'any')).status).toBe(401);
  });
});
