import { timingSafeEqual } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { openJson, sealJson } from '../hierarchy/sealed-json.ts';
import type { UnitOfWork } from '../ports/store.ts';

/** The idempotency of one mutating call, as the edge read it from the request. */
export interface IdempotencyRequest {
  /** The caller's key, at most 255 characters. */
  readonly key: string;
  /** SHA-256 over the caller, the operation and the request: what must be the same for a replay. */
  readonly fingerprint: Uint8Array;
}

const TTL_SECONDS = 24 * 60 * 60;

/**
 * Runs the work of a mutating call once per idempotency key, in the same unit as its effect: a repeated call gets the
 * stored answer, which `work` must give as JSON.
 *
 * @throws KmsError `IDEMPOTENCY_MISMATCH` when the key was used for another request.
 */
export async function runOnce<T>(
  unit: UnitOfWork,
  chain: MasterKeyChain,
  idempotency: IdempotencyRequest | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (idempotency === undefined) return work();
  const earlier = await unit.idempotency.claim(idempotency.key, idempotency.fingerprint);
  if (earlier === undefined) {
    const answer = await work();
    await unit.idempotency.complete(
      idempotency.key,
      sealJson(chain, 'qnsp-kms/v1/idempotency-answer', idempotency.key, answer),
      TTL_SECONDS,
    );
    return answer;
  }
  const same =
    earlier.fingerprint.length === idempotency.fingerprint.length &&
    timingSafeEqual(earlier.fingerprint, idempotency.fingerprint);
  if (!same) {
    throw new KmsError(
      'IDEMPOTENCY_MISMATCH',
      'This idempotency key was used for another request. Use a new key for a new request.',
    );
  }
  try {
    // The sealed answer is authentic and was written by this same operation, which the fingerprint covers.
    return openJson(chain, 'qnsp-kms/v1/idempotency-answer', idempotency.key, earlier.answer) as T;
  } catch (cause) {
    throw new KmsError('INTERNAL_ERROR', 'The stored answer of this idempotency key does not open.', { cause });
  }
}
