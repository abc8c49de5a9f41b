import { test } from 'vitest';
import { rideOutHalt } from './halt-postgres.ts';

test('PostgreSQL is stopped with SIGSTOP for 30 seconds, with the default timeout', { timeout: 180_000 }, () =>
  rideOutHalt({ haltMs: 30_000, timeoutMs: 5000 }),
);
