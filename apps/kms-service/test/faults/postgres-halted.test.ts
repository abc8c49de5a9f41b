import { test } from 'vitest';
import { rideOutHalt } from './halt-postgres.ts';

test('PostgreSQL is stopped with SIGSTOP for three times as long as a call may take', () =>
  rideOutHalt({ haltMs: 3000, timeoutMs: 1000 }));
