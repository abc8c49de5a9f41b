import { test } from 'vitest';
import { runEvidenceFaults } from './evidence-faults.ts';

test('every answered operation of 100,000 leaves its event once', () => runEvidenceFaults(100_000, true), 3_600_000);
