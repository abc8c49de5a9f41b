/**
 * Waits for statements that were sent one right after another, without waiting for answers in between: a connection runs
 * them in this order. Throws the error of the first that failed, which is why those behind it failed too, but not before
 * all of them have ended.
 */
export async function inOrder<T extends readonly Promise<unknown>[] | []>(
  sent: T,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  const outcomes: readonly PromiseSettledResult<unknown>[] = await Promise.allSettled(sent);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return Promise.all(sent);
}
