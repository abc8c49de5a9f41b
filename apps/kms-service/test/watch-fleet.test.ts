import { KmsError } from '@qnsp/kms-core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchFleet } from '../src/watch-fleet.ts';

const log = { debug: () => undefined } as unknown as Parameters<typeof watchFleet>[2];

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('nodes are counted every second, also after the database did not answer', async () => {
  const renew = vi.fn<() => Promise<void>>(async () => {
    throw new KmsError('STORE_UNAVAILABLE', 'The database does not answer.');
  });
  const watch = watchFleet({ renew }, { requireServing: () => undefined }, log);
  await vi.advanceTimersByTimeAsync(3000);
  expect(renew).toHaveBeenCalledTimes(3);
  await watch.stop();
  await vi.advanceTimersByTimeAsync(3000);
  expect(renew).toHaveBeenCalledTimes(3);
});

test('a database that was slow to answer is not asked for what was missed, and the end waits for it', async () => {
  const answers: PromiseWithResolvers<void>[] = [];
  const renew = vi.fn<() => Promise<void>>(() => {
    const answer = Promise.withResolvers<void>();
    answers.push(answer);
    return answer.promise;
  });
  const watch = watchFleet({ renew }, { requireServing: () => undefined }, log);
  await vi.advanceTimersByTimeAsync(60_000);
  answers[0]?.resolve();
  await vi.advanceTimersByTimeAsync(500);
  expect(renew).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(500);
  expect(renew).toHaveBeenCalledTimes(2);
  let stopped = false;
  const stopping = watch.stop().then(() => {
    stopped = true;
  });
  await vi.advanceTimersByTimeAsync(1000);
  expect(stopped).toBe(false);
  answers[1]?.resolve();
  await stopping;
});

test('a node that may not serve does not announce itself', async () => {
  const renew = vi.fn<() => Promise<void>>(async () => undefined);
  const requireServing = () => {
    throw new KmsError('SEALED', 'This is a restored copy.');
  };
  const watch = watchFleet({ renew }, { requireServing }, log);
  await vi.advanceTimersByTimeAsync(3000);
  expect(renew).not.toHaveBeenCalled();
  await watch.stop();
});
