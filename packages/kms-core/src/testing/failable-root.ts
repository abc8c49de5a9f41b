import { KmsError } from '../errors/kms-error.ts';
import { softwareRoot } from '../hierarchy/software-root.ts';
import type { RootProvider } from '../ports/root-provider.ts';

/** A root whose HSM a test can take away, bring back, or exchange for another one. */
export interface FailableRoot extends RootProvider {
  goAway(): void;
  comeBack(): void;
  /** From now on it is another root under the same name. */
  exchange(rootKey: Uint8Array): void;
  /** How often its root was used to wrap or unwrap. */
  readonly uses: number;
}

/**
 * A software root that behaves as one in an HSM may.
 *
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { failableRoot } from '@qnsp/kms-core/testing';
 * const root = failableRoot('hsm-a', randomBytes(32));
 * root.goAway();
 * const wrapped = root.wrap(randomBytes(32), Buffer.alloc(0));
 * console.log(await Promise.resolve(wrapped).catch((error) => error.code)); // HSM_UNAVAILABLE
 */
export function failableRoot(id: string, rootKey: Uint8Array): FailableRoot {
  let root = softwareRoot(id, rootKey);
  let away = false;
  let uses = 0;
  const answer = <T>(call: () => Promise<T>): Promise<T> => {
    if (away)
      return Promise.reject(
        new KmsError('HSM_UNAVAILABLE', `The HSM ${id} does not answer.`, { retryAfterSeconds: 1 }),
      );
    return call();
  };
  return {
    id,
    kind: 'hsm',
    get uses() {
      return uses;
    },
    checkValue: () => answer(() => root.checkValue()),
    wrap: (key, aad) => {
      uses += 1;
      return answer(() => root.wrap(key, aad));
    },
    unwrap: (wrapped, aad) => {
      uses += 1;
      return answer(() => root.unwrap(wrapped, aad));
    },
    goAway: () => {
      away = true;
    },
    comeBack: () => {
      away = false;
    },
    exchange: (other) => {
      root = softwareRoot(id, other);
    },
  };
}
