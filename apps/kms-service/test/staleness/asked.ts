import { lostTime, type Service } from '@qnsp/test-harness';

/** An answer of a node, by when it was asked for and when it came, in milliseconds of `performance.now()`. */
export interface Asked<T> {
  readonly answer: T;
  readonly sentAt: number;
  /** When it would have come if the machine had kept no time from the node and from this test since it was asked for. */
  readonly answeredAt: number;
}

export async function asked<T>(node: Service, ask: () => Promise<T>): Promise<Asked<T>> {
  const lost = lostTime(node.child.pid);
  const sentAt = performance.now();
  const answer = await ask();
  return { answer, sentAt, answeredAt: Math.max(sentAt, performance.now() - lost()) };
}
