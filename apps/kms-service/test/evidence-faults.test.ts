import { test } from 'vitest';
import { runEvidenceFaults } from './evidence-faults.ts';

test(
  'every answered operation leaves its event once, whatever fails meanwhile',
  () => runEvidenceFaults(1500),
  600_000,
);
