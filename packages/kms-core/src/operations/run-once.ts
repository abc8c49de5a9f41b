import type { Field } from '../encoding/length-prefixed.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { openJson, sealJson } from '../hierarchy/sealed-json.ts';
import type { UnitOfWork } from '../ports/store.ts';
import type { Operation } from './operation.ts';
import { fingerprintToStore, isFingerprintOf } from './request-fingerprint.ts';

/** Where the answer is kept, and which operation it is the answer to. */
export interface KeptAnswer {
  readonly unit: UnitOfWork;
  readonly chain: MasterKeyChain;
  /** What was done, which an answer is bound to. What is stored depends on it: it never changes. */
  readonly what: string;
}

const TTL_SECONDS = 24 * 60 * 60;
const USE = 'qnsp-kms/v2/idempotency-answer';

/**
 * Runs the work of a mutating call once per idempotency key, in the same unit as its effect: a repeated call gets the
 * stored answer, which `work` must give as JSON and without any secret: what is stored outlives the call.
 *
 * An answer is sealed for the tenant, the caller, the operation, the request and the time for which it is kept. Whatever a
 * writer of the database changes, moves or puts back, it is not replayed to another call or at another time.
 *
 * @throws KmsError `IDEMPOTENCY_MISMATCH` when the key was used for another request, `CONFLICT` when what is stored under it
 *   is not an answer to this call: the work is not done again, as it may have been done. `TOO_MANY_REQUESTS` when as many answers are
 *   kept for the tenant as may be, before the work is done.
 */
export async function runOnce<T>(
  { caller, idempotency }: Pick<Operation, 'caller' | 'idempotency'>,
  { unit, chain, what }: KeptAnswer,
  work: () => Promise<T>,
): Promise<T> {
  if (idempotency === undefined) return work();
  const { key, fingerprint, atMost } = idempotency;
  const boundTo = (expiresAt: Date): readonly Field[] => [
    caller.tenantId,
    caller.subject,
    what,
    key,
    fingerprint,
    expiresAt.getTime(),
  ];
  const request: readonly Field[] = [caller.tenantId, key, fingerprint];
  const earlier = await unit.idempotency.claim(key, fingerprintToStore(chain, request), { atMost });
  if (earlier === undefined) {
    const answer = await work();
    const expiresAt = new Date(unit.now.getTime() + TTL_SECONDS * 1000);
    await unit.idempotency.complete(key, sealJson(chain, USE, boundTo(expiresAt), answer), TTL_SECONDS);
    return answer;
  }
  const same = isFingerprintOf(chain, earlier.fingerprint, request);
  if (same === undefined) throw noAnswer();
  if (!same) {
    throw new KmsError(
      'IDEMPOTENCY_MISMATCH',
      'This idempotency key was used for another request. Use a new key for a new request.',
    );
  }
  try {
    // The sealed answer is authentic and was written by this same operation, for this same call.
    return openJson(chain, USE, boundTo(earlier.expiresAt), earlier.answer) as T;
  } catch (cause) {
    throw noAnswer(cause);
  }
}

function noAnswer(cause?: unknown): KmsError {
  return new KmsError(
    'CONFLICT',
    'What is stored under this idempotency key is not an answer to this call: a version before the last upgrade wrote it, or somebody changed it. Check whether the call took effect; a new call needs a new key.',
    { cause },
  );
}
