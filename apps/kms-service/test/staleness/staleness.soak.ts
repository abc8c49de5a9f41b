import { expect, test } from 'vitest';
import { startFleet } from './fleet.ts';
import { staleness } from './report.ts';
import { BOUND_MS, ENDINGS, type RoundResult, runRound } from './round.ts';
import { troubles } from './troubles.ts';

const ROUNDS = 100;

test('100 changes, whatever goes wrong around them, count on every node within a second', {
  timeout: 25 * 60_000,
}, async () => {
  const fleet = await startFleet(3);
  const results: RoundResult[] = [];
  try {
    const kinds = troubles();
    for (let round = 0; round < ROUNDS; round += 1) {
      const trouble = kinds[round % kinds.length];
      // Moves on by one each time all troubles had their turn, so that every ending meets every trouble.
      const ending = ENDINGS[(round + Math.floor(round / kinds.length)) % ENDINGS.length];
      if (trouble === undefined || ending === undefined) throw new Error('there is nothing to do');
      results.push(await runRound(fleet, ending, trouble));
    }
  } finally {
    process.stdout.write(`${staleness(results)}\n`);
    await fleet.end();
  }
  expect(results).toHaveLength(ROUNDS);
  for (const result of results)
    expect(Math.max(...result.lastSuccessMs), JSON.stringify(result)).toBeLessThanOrEqual(BOUND_MS);
  const healthy = results.filter(({ trouble }) => trouble === 'none').flatMap(({ lastSuccessMs }) => lastSuccessMs);
  expect(Math.max(...healthy)).toBeLessThanOrEqual(100);
});
