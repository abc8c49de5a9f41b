import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureEvidence } from './evidence/measure-evidence.ts';

const bench: Bench = {
  name: 'evidence',
  summary: 'What evidence costs encrypt: the same service with it and without it.',
  async run(say) {
    // An answer waits until its event is on the disk.
    const postgres = await startPostgres({ settings: { synchronous_commit: 'on', fsync: 'on' } });
    try {
      return await measureEvidence(postgres.url, say, { rounds: 5, roundMs: 4000, warmUpMs: 1000 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
