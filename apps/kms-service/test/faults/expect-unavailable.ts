import { expect } from 'vitest';
import type { Answer } from '../local-service.ts';

/** Expects the one answer of a call that met a database that cannot serve. */
export function expectUnavailable(answer: Answer): void {
  expect(answer).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
}
