import { nameAsSent, type Names } from '@qnsp/kms-contract';
import type { MaybePromise } from '@qnsp/kms-core/ports';

/** Does work for a request that has other names for fields, so that an error is about its names. */
export function namingAsSent<T>(names: Names | undefined, work: () => MaybePromise<T>): MaybePromise<T> {
  const fail = (error: unknown): never => {
    throw nameAsSent(error, names);
  };
  try {
    const done = work();
    return done instanceof Promise ? done.catch(fail) : done;
  } catch (error) {
    return fail(error);
  }
}
