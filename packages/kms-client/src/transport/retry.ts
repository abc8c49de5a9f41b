import { KmsClientError } from '../errors/kms-client-error.ts';

/** When a call is sent again. Times are in milliseconds. */
export interface RetryPolicy {
  /** How often a call is sent at most. */
  readonly attempts: number;
  /** No attempt begins, and no wait ends, later than this after the start of the call. */
  readonly deadlineMs: number;
  /** Before the second attempt the wait is at most this, and then at most twice as long before each further one. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * How long to wait before another attempt: anything up to the exponential bound ("full jitter"), so that clients that
 * failed together do not come back together, on top of what the service asked for.
 */
export function retryDelayMs(
  failures: number,
  retryAfterSeconds: number | undefined,
  { baseDelayMs, maxDelayMs }: Pick<RetryPolicy, 'baseDelayMs' | 'maxDelayMs'>,
  random: () => number,
): number {
  const bound = Math.min(maxDelayMs, baseDelayMs * 2 ** (failures - 1));
  return (retryAfterSeconds ?? 0) * 1000 + random() * bound;
}

/** The whole seconds of a `Retry-After` header: a number or a date (RFC 9110, section 10.2.3). */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header);
  // Date.parse accepts much that is not an HTTP date, which always ends like this.
  const date = header.endsWith(' GMT') ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000));
}

/**
 * Does the work again while it fails in a way that may pass. When the service asks for a longer wait than the deadline
 * allows, its error is thrown at once.
 */
export async function withRetries<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  attempt: (remainingMs: number) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const remaining = () => policy.deadlineMs - (performance.now() - started);
  for (let failures = 1; ; failures += 1) {
    signal?.throwIfAborted();
    try {
      return await attempt(remaining());
    } catch (error) {
      if (!(error instanceof KmsClientError) || !error.retryable || failures >= policy.attempts) throw error;
      const delay = retryDelayMs(failures, error.retryAfterSeconds, policy, Math.random);
      if (delay >= remaining()) throw error;
      await pause(delay, signal);
    }
  }
}

/** Waits, unless the signal ends it; then it is rejected with the reason of the signal. */
export function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      // The caller that aborts chooses the reason.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', end, { once: true });
  });
}
