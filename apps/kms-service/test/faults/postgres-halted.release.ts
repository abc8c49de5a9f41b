import { test } from 'vitest';
import { rideOutHalt } from './halt-postgres.ts';
import { RIDE } from './ride-out.ts';

test('PostgreSQL is stopped with SIGSTOP for twice as long as a call may take', RIDE, () =>
  rideOutHalt({ haltMs: 2000, timeoutMs: 1000 }),
);
