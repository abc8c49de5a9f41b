import { costOfWork, isSlow } from '../algorithms/costs.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import type { KeyEngine } from './engine.ts';

/** Does work that costs some units when its turn comes. */
export type Enqueue = <T>(units: number, work: () => T | Promise<T>) => Promise<T>;

/** Whether any work of an engine of an algorithm has to wait for its turn. */
export function isQueued(algorithm: Algorithm): boolean {
  return isSlow(algorithm, 'sign') || isSlow(algorithm, 'open');
}

/** An engine whose slow work waits for its turn. */
export function queuedEngine(engine: KeyEngine, algorithm: Algorithm, enqueue: Enqueue): KeyEngine {
  const unitsOf = (work: 'sign' | 'verify' | 'open') => costOfWork(algorithm, work) ?? 1;
  const { sign, verify, open } = engine;
  return {
    ...engine,
    ...(sign && isSlow(algorithm, 'sign') && { sign: (...input) => enqueue(unitsOf('sign'), () => sign(...input)) }),
    ...(verify &&
      isSlow(algorithm, 'verify') && { verify: (...input) => enqueue(unitsOf('verify'), () => verify(...input)) }),
    ...(open && isSlow(algorithm, 'open') && { open: (...input) => enqueue(unitsOf('open'), () => open(...input)) }),
  };
}
