import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureFairness } from './load/measure-fairness.ts';

const bench: Bench = {
  name: 'fairness',
  summary:
    'How long one tenant waits while another sends batches of 1,000 SLH-DSA-SHA2-256s signatures on 16 connections.',
  async run(say) {
    const postgres = await startPostgres();
    try {
      return await measureFairness(postgres.url, say, {
        algorithm: 'sphincs-sha2-256s-simple',
        connections: 16,
        items: 1000,
        slices: 5,
        seconds: 3,
        perSecond: 200,
        warmUp: 15_000,
      });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
