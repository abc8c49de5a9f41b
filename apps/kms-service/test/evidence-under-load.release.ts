import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { evidenceEnv, listen } from './evidence-sample.ts';
import { runLoad, waitingEvents } from './load.ts';
import { startLocalService } from './local-service.ts';

const CONNECTIONS = 64;
/** So many batches of evidence have to arrive while the load goes on. */
const BATCHES = 10;
/** Enough on any machine. */
const LIMIT_MS = 240_000;

test('a node that is never without requests seals and delivers their evidence meanwhile', {
  timeout: 600_000,
}, async () => {
  let batches = 0;
  const sink = createServer((request, response) => {
    request.resume().on('end', () => {
      batches += 1;
      response.end(JSON.stringify({ batchId: String(request.headers['idempotency-key']) }));
    });
  });
  const local = await startLocalService(evidenceEnv(`http://127.0.0.1:${await listen(sink)}`));
  try {
    const { keyId } = (await local.call('POST', '/kms/v1/keys', {})).body;
    await expect.poll(() => waitingEvents(local.service), { timeout: 60_000 }).toBe(0);
    const before = batches;
    const deadline = performance.now() + LIMIT_MS;
    let arrived = 0;
    const outcomes = await runLoad({
      baseUrl: () => local.service.baseUrl,
      path: `/kms/v1/keys/${String(keyId)}/encrypt`,
      token: local.apiToken,
      body: JSON.stringify({ plaintext: 'aGk=' }),
      concurrency: CONNECTIONS,
      prefix: 'load',
      // A batch holds 100 events at most: these must be of the load.
      more: (answered) => {
        arrived = batches - before;
        return (answered < 100 * BATCHES || arrived < BATCHES) && performance.now() < deadline;
      },
    });
    expect(arrived).toBeGreaterThanOrEqual(BATCHES);
    expect(outcomes.filter(({ status }) => status !== 200)).toEqual([]);
    await expect.poll(() => waitingEvents(local.service), { timeout: 300_000 }).toBe(0);
  } finally {
    await local.end();
    sink.closeAllConnections();
    sink.close();
  }
});
