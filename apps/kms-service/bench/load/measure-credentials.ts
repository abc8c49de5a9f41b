import { randomBytes } from 'node:crypto';
import { jwtIssuer } from '@qnsp/test-harness';
import type { BenchResult } from '../bench.ts';
import { verdict } from '../verdict.ts';
import { compareCpu, type CpuOptions } from './compare-cpu.ts';
import { CONCURRENCY } from './encrypt-sides.ts';
import { startBenchService } from './start-sides.ts';
import { openTarget, postOf } from './target.ts';

const PLAINTEXT = randomBytes(32).toString('base64');
/** How much more a call with a JWT may cost. */
const MOST = 1.05;

/** Measures what a call costs by the credential that it is made with, on one service. */
export async function measureCredentials(
  serverUrl: string,
  say: (progress: string) => void,
  options: CpuOptions,
): Promise<BenchResult> {
  const issuer = jwtIssuer();
  const service = await startBenchService(serverUrl, issuer.env);
  const target = await openTarget(service.port, CONCURRENCY);
  try {
    const path = `/kms/v1/keys/${await service.createKey()}/encrypt`;
    await service.call('POST', 'identity-bindings', {
      issuer: issuer.issuer,
      match: { sub: 'orders' },
      role: 'key_user',
    });
    const side = (token: string) => ({ service, target, request: postOf(path, { plaintext: PLAINTEXT }, token) });
    const jwt = issuer.token('orders');
    const { base, other, ratio } = await compareCpu(side(service.token), side(jwt), options);
    const times = 1 / ratio;
    say(`a JWT: ${times.toFixed(3)} times an API token`);
    return {
      columns: ['encrypt', 'API token', 'JWT', 'JWT ÷ API token', 'target', 'holds'],
      rows: [
        [
          'processor time of a request',
          `${base.toFixed(1)} µs`,
          `${other.toFixed(1)} µs`,
          times.toFixed(3),
          `≤ ${MOST}`,
          verdict(times <= MOST),
        ],
      ],
      holds: times <= MOST,
      conditions: [
        `one service on PostgreSQL, a key and credentials that are in memory, a JWT of ${jwt.length} characters; ${CONCURRENCY} connections, ` +
          `medians of ${options.slices} slices of ${options.requests} requests, in turns, after ${options.warmUp} that do not count`,
      ],
    };
  } finally {
    target.close();
    await service.stop();
    await issuer.end();
  }
}
