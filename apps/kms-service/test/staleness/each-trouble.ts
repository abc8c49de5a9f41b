import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from './fleet.ts';
import { staleness } from './report.ts';
import { BOUND_MS, ENDINGS, IDENTITY_ENDINGS, type RoundResult, runRound, type Trouble } from './round.ts';
import { troubles } from './troubles.ts';

const IN_EVERY_RUN = [
  'none',
  'old values are put back into Redis',
  'the notices of two nodes are swallowed',
  'a node loses its database',
];

/** Those in which who somebody is by bindings is ended as well. */
const OF_IDENTITIES = ['none', 'the notices of two nodes are swallowed'];

/** One trouble for each part that may fail; the others belong to a release. */
export function isInEveryRun({ name }: Trouble): boolean {
  return IN_EVERY_RUN.includes(name);
}

/**
 * Declares the tests of the troubles that are chosen, each with another way to end the use of a key. The 100 rounds are
 * `staleness.soak.ts`.
 */
export function countsInTime(isChosen: (trouble: Trouble) => boolean): void {
  let fleet: Fleet;
  const results: RoundResult[] = [];

  beforeAll(async () => {
    fleet = await startFleet(3);
  });
  afterAll(async () => {
    process.stdout.write(`${staleness(results)}\n`);
    await fleet.end();
  });

  describe('a change counts on every node within a second', () => {
    const rounds = troubles().map((trouble, index) => ({ trouble, ending: ENDINGS[index % ENDINGS.length] }));
    for (const trouble of troubles().filter(({ name }) => OF_IDENTITIES.includes(name)))
      rounds.push(...IDENTITY_ENDINGS.map((ending) => ({ trouble, ending })));
    test.each(rounds.filter(({ trouble }) => isChosen(trouble)))(
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
      expect(await fleet.metric(/^kms_cache_requests_total\{cache="tokens",result="hits"\} (\d+)/m)).toBeGreaterThan(
        100,
      );
      const sharedHits = () => fleet.metric(/^kms_cache_shared_requests_total\{result="hits"\} (\d+)/m);
      // What the nodes read at the same moment each of them reads from the database, so one has to come after another.
      const readsAfterAnother = async () => {
        const path = await fleet.createKey();
        for (const node of [0, 1]) await fleet.call(node, 'POST', `${path}/encrypt`, { plaintext: 'AAAA' });
        return sharedHits();
      };
      const before = await sharedHits();
      await expect.poll(readsAfterAnother, { timeout: 60_000 }).toBeGreaterThan(before);
    });
  });
}
