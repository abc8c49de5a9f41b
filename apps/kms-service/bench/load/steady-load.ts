import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Requests at a steady rate, whatever becomes of those before. */
export interface SteadyLoad {
  readonly port: number;
  readonly connections: number;
  readonly request: Uint8Array;
  readonly perSecond: number;
  readonly count: number;
}

/** What became of one request, in milliseconds from when it was due: a server that stalls is not spared what waits for it. */
export interface Answered {
  readonly took: number;
  /**
   * For how much of that the load itself waited for a processor, which a client on another machine does not: to send the request when it was
   * due, and to see its answer. Rather too little than too much: what may have been while the server worked is left out.
   */
  readonly ownWait: number;
}

/** A thread that sends requests, and sleeps in between: one that waited by looking at the clock would hold a processor. */
export interface SteadyLoader {
  run(load: SteadyLoad): Promise<readonly Answered[]>;
  close(): Promise<void>;
}

/** Starts a thread that sends one load after the other. Of Linux only, where the scheduler says how long a thread has waited. */
export async function startSteadyLoader(): Promise<SteadyLoader> {
  const worker = new Worker(new URL('steady-load-thread.ts', import.meta.url));
  await once(worker, 'online');
  return {
    run: async (load) => {
      worker.postMessage(load, []);
      // A thread that throws ends, which rejects here.
      const [answers] = (await once(worker, 'message')) as [readonly Answered[]];
      return answers;
    },
    close: async () => void (await worker.terminate()),
  };
}

/** How long requests took but for what the load itself waited. */
export function withoutOwnWaits(answers: readonly Answered[]): readonly number[] {
  return answers.map(({ took, ownWait }) => took - ownWait);
}
