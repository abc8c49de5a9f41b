import { KmsClientError } from '../errors/kms-client-error.ts';

/**
 * Does the work for at most this long, and only until the caller's signal. Work that ignores its signal is abandoned.
 *
 * @throws KmsClientError `TIMEOUT`; the reason of the caller's signal when that was first.
 */
export async function withTimeLimit<T>(
  limitMs: number,
  signal: AbortSignal | undefined,
  requestId: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timeout = new KmsClientError(
    'TIMEOUT',
    `The service did not answer within ${Math.ceil(limitMs)} ms. Try again, or allow more time with timeoutMs.`,
    { requestId, retryable: true },
  );
  const timer = setTimeout(() => controller.abort(timeout), Math.max(0, limitMs));
  const follow = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', follow, { once: true });
  if (signal?.aborted === true) follow();
  const aborted = new Promise<never>((_, reject) => {
    // The reason is the error above or the caller's own.
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors
    const fail = () => reject(controller.signal.reason);
    if (controller.signal.aborted) fail();
    else controller.signal.addEventListener('abort', fail, { once: true });
  });
  try {
    return await Promise.race([work(controller.signal), aborted]);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', follow);
  }
}
