import type { KeyEngine } from '../engines/engine.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { KeyVersionRecord } from '../model/key.ts';

/** For this long after a version was made its object may not have reached every part of an HSM. */
const YOUNG_MS = 60_000;

/**
 * The engine of a version in an HSM, for which "the HSM does not hold this key" is not final while the version is
 * young: what one node made a moment ago may not be seen by the HSM, or the module, of another yet.
 */
export function patientEngine(engine: KeyEngine, { createdAt }: KeyVersionRecord, clock: () => number): KeyEngine {
  const patient = <A extends readonly unknown[], T>(method: (...args: A) => T) => {
    return async (...args: A): Promise<Awaited<T>> => {
      try {
        return await method(...args);
      } catch (error) {
        const isYoung = Math.abs(clock() - createdAt.getTime()) < YOUNG_MS;
        if (!isYoung || !KmsError.is(error) || error.code !== 'NOT_FOUND') throw error;
        throw new KmsError(
          'HSM_UNAVAILABLE',
          'The HSM does not yet show the key, which was created a moment ago. Try again.',
          {
            retryAfterSeconds: 1,
            cause: error,
          },
        );
      }
    };
  };
  const { seal, open, sign, verify, mac, verifyMac } = engine;
  return {
    ...(seal && { seal: patient(seal) }),
    ...(open && { open: patient(open) }),
    ...(sign && { sign: patient(sign) }),
    ...(verify && { verify: patient(verify) }),
    ...(mac && { mac: patient(mac) }),
    ...(verifyMac && { verifyMac: patient(verifyMac) }),
  };
}
