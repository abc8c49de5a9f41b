import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from './fleet.ts';
import { staleness } from './report.ts';
import { BOUND_MS, ENDINGS, type RoundResult, runRound } from './round.ts';
import { troubles } from './troubles.ts';

let fleet: Fleet;
const results: RoundResult[] = [];

beforeAll(async () => {
  fleet = await startFleet(3);
});
afterAll(async () => {
  process.stdout.write(`${staleness(results)}\n`);
  await fleet.end();
});

/** Each trouble once, each with another way to end the use of a key. The 100 rounds are `staleness.soak.ts`. */
describe('a change counts on every node within a second', () => {
  test.each(troubles().map((trouble, index) => ({ trouble, ending: ENDINGS[index % ENDINGS.length] ?? ENDINGS[0] })))(
    '$ending.name, trouble: $trouble.name',
    async ({ trouble, ending }) => {
      if (ending === undefined) throw new Error('there is no way to end the use of a key');
      const result = await runRound(fleet, ending, trouble);
      results.push(result);
      for (const ms of result.lastSuccessMs) expect(ms).toBeLessThanOrEqual(BOUND_MS);
    },
  );

  test('with memory and Redis really in use', async () => {
    expect(await fleet.metric(/^kms_cache_requests_total\{cache="keys",result="hits"\} (\d+)/m)).toBeGreaterThan(100);
    expect(await fleet.metric(/^kms_cache_requests_total\{cache="tokens",result="hits"\} (\d+)/m)).toBeGreaterThan(100);
    const sharedHits = () => fleet.metric(/^kms_cache_shared_requests_total\{result="hits"\} (\d+)/m);
    // What the nodes read at the same moment each of them reads from the database, so one has to come after another.
    const readsAfterAnother = async () => {
      const path = await fleet.createKey();
      for (const node of [0, 1]) await fleet.call(node, 'POST', `${path}/encrypt`, { plaintext: 'AAAA' });
      return sharedHits();
    };
    const before = await sharedHits();
    await expect.poll(readsAfterAnother, { timeout: 15_000 }).toBeGreaterThan(before);
  });
});
