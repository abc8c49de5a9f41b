import { randomBytes } from 'node:crypto';
import { startService } from '@qnsp/test-harness';
import { expect, onTestFinished, test } from 'vitest';
import { ConfigurationError } from '../src/config/configuration-error.ts';
import { readConfig } from '../src/config/env.ts';
import { send } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const GATEWAY = 'g'.repeat(40);
const madeUp = () => `qnsp_pqc_${randomBytes(32).toString('base64url')}`;

test('an address that tries credentials is refused before they are looked at, and those who have one go on', async () => {
  const service = await startService({
    env: {
      KMS_EMBEDDED_DEFAULTS: 'true',
      KMS_PLATFORM_TOKEN: PLATFORM,
      KMS_GATEWAY_CREDENTIAL: GATEWAY,
      KMS_LIMIT_FAILED_AUTHENTICATIONS_PER_SECOND: '1',
      KMS_LIMIT_FAILED_AUTHENTICATIONS_BURST: '30',
    },
  });
  onTestFinished(() => service.stop());
  const ask = (token: string, headers = {}) =>
    send(`${service.baseUrl}/kms/v1/tenants`, 'GET', token, undefined, headers);
  const from = (address: string) => ({ 'x-qnsp-gateway-credential': GATEWAY, 'x-forwarded-for': address });
  expect((await ask(PLATFORM)).status).toBe(200);
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 40; attempt += 1) statuses.push((await ask(madeUp())).status);
  expect(new Set(statuses.slice(0, 30))).toEqual(new Set([401]));
  expect(statuses.slice(34)).toContain(429);
  const attempts = Array.from({ length: 10 }, () => ask(madeUp()));
  const refused = (await Promise.all(attempts)).find(({ status }) => status === 429);
  expect(refused?.body).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  // One that is held, from the same address; and one that is not, from another.
  expect((await ask(PLATFORM)).status).toBe(200);
  expect((await ask(madeUp(), from('192.0.2.7'))).status).toBe(401);
  expect((await ask(madeUp(), from('2001:db8::1'))).status).toBe(401);
  const metrics = await (await fetch(`${service.baseUrl}/metrics`)).text();
  expect(metrics).toMatch(/^kms_rate_limit_refusals_total\{limit="address"\} [1-9]/m);
});

test('the limit of failed authentications is there without a setting, and 0 takes it away', () => {
  const failures = (env: Readonly<Record<string, string>>) =>
    readConfig({ KMS_EMBEDDED_DEFAULTS: 'true', ...env }).limits.failures;
  const [rate, burst] = ['KMS_LIMIT_FAILED_AUTHENTICATIONS_PER_SECOND', 'KMS_LIMIT_FAILED_AUTHENTICATIONS_BURST'];
  expect(failures({})).toEqual({ perSecond: 20, burst: 100 });
  expect(failures({ [rate]: '2' })).toEqual({ perSecond: 2, burst: 10 });
  expect(failures({ [burst]: '7' })).toEqual({ perSecond: 20, burst: 7 });
  expect(failures({ [rate]: '0' })).toBeUndefined();
  expect(() => failures({ [rate]: '0', [burst]: '7' })).toThrow(ConfigurationError);
});
