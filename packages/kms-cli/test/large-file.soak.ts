import { fileRounds } from '@qnsp/test-harness';
import { expect, test } from 'vitest';

const MEMORY_LIMIT_BYTES = 200e6;

test('1 GiB goes through files and pipes, and through TypeScript, in constant memory and at no less than half the speed of openssl', {
  timeout: 900_000,
}, async () => {
  const { opensslSeconds, measures } = await fileRounds(1024, 3);
  process.stderr.write(`${JSON.stringify({ opensslSeconds, measures })}\n`);
  expect(measures).toHaveLength(8);
  for (const measure of measures) {
    expect(measure.memoryBytes, measure.way).toBeLessThanOrEqual(MEMORY_LIMIT_BYTES);
    expect(measure.seconds, measure.way).toBeLessThanOrEqual(2 * opensslSeconds);
  }
});
