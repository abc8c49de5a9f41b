import type { HttpLimits } from '../http-server.ts';

/** Limits of a server of a test, wide enough for whatever is not about them. */
export const HTTP_LIMITS: HttpLimits = {
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 5000,
  maxConnections: 100,
  maxAnswerBytes: 64 * 1024 * 1024,
  drainDelayMs: 0,
  shutdownTimeoutMs: 5000,
};
