import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const CHILD = fileURLToPath(new URL('key-bytes-child.ts', import.meta.url));
const KEYS = 3000;
/** A heap is never quite full: it may take more than its keys by this part. */
const SLACK = 1.25;

/** What `docs/architecture.md` says that a key takes. */
test.each([
  ['aes-256-gcm', 10_000],
  ['rsa-4096', 30_000],
  ['dilithium-3', 50_000],
])(
  'a key of %s takes about %i bytes of the process that holds it, or fewer',
  { timeout: 180_000 },
  (algorithm, documented) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--expose-gc', CHILD, algorithm, String(KEYS)], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    process.stdout.write(`a key of ${algorithm} takes ${Math.round(Number(stdout))} bytes\n`);
    expect(Number(stdout)).toBeLessThan(SLACK * documented);
    expect(Number(stdout)).toBeGreaterThan(documented / 20);
  },
);
