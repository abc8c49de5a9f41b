import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from './fleet.ts';
import { percentile, staleness } from './report.ts';
import { BOUND_MS, ENDINGS, type RoundResult, runRound } from './round.ts';
import { troubles } from './troubles.ts';

/** Fewer of them, by the environment, show only that the test itself works. */
const ROUNDS = Number(process.env['STALENESS_ROUNDS'] ?? 100);
const HEALTHY_ROUNDS = Number(process.env['STALENESS_HEALTHY_ROUNDS'] ?? 60);
const HEALTHY_BOUND_MS = 100;
/** When nothing goes wrong, whatever comes later than this is far too late. */
const SHORT_LOOK_MS = 400;

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet(3);
});
afterAll(() => fleet.end());

test(`${ROUNDS} changes, whatever goes wrong around them, count on every node within a second`, {
  timeout: 40 * 60_000,
}, async () => {
  const results: RoundResult[] = [];
  const kinds = troubles();
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const trouble = kinds[round % kinds.length];
      // Each time all troubles had their turn they meet the next ending, until every one has met every other.
      const ending = ENDINGS[((round % kinds.length) + Math.floor(round / kinds.length)) % ENDINGS.length];
      if (trouble === undefined || ending === undefined) throw new Error('there is nothing to do');
      results.push(await runRound(fleet, ending, trouble));
    }
  } finally {
    process.stdout.write(`${staleness(results)}\n`);
  }
  expect(results).toHaveLength(ROUNDS);
  const pairs = new Set(results.map(({ trouble, ending }) => `${trouble}, ${ending}`));
  expect(pairs.size).toBe(Math.min(ROUNDS, kinds.length * ENDINGS.length));
  for (const result of results)
    expect(Math.max(...result.lastSuccessMs), JSON.stringify(result)).toBeLessThanOrEqual(BOUND_MS);
  const healthy = results.filter(({ trouble }) => trouble === 'none').flatMap(({ lastSuccessMs }) => lastSuccessMs);
  expect(Math.max(...healthy)).toBeLessThanOrEqual(HEALTHY_BOUND_MS);
});

test('when nothing goes wrong, 99 of 100 changes count on every node within 100 ms', {
  timeout: 10 * 60_000,
}, async () => {
  const results: RoundResult[] = [];
  for (let round = 0; round < HEALTHY_ROUNDS; round += 1) {
    const [ending, trouble] = [ENDINGS[round % ENDINGS.length], troubles().find(({ name }) => name === 'none')];
    if (trouble === undefined || ending === undefined) throw new Error('there is nothing to do');
    results.push(await runRound(fleet, ending, trouble, SHORT_LOOK_MS));
  }
  // The node that made the change sees it at once; the others are of interest.
  const times = results.flatMap(({ lastSuccessMs }) => lastSuccessMs.slice(1));
  process.stdout.write(`${staleness(results)}\n`);
  expect(times).toHaveLength(2 * HEALTHY_ROUNDS);
  expect(percentile(times, 99)).toBeLessThan(HEALTHY_BOUND_MS);
});
