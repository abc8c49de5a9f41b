import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import { isTooManyAnswers } from '../errors/too-many-answers.ts';
import type { IdempotencyRequest } from '../model/change-request.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import { atMost } from '../model/quotas.ts';
import type { OperationName } from './catalog.ts';
import type { Operation } from './operation.ts';

/**
 * What takes something away that somebody else may be misusing at the moment, and what undoes such misuse. It never waits for room: a repeated
 * call finds it done, or does it once more to the same end.
 */
const ENDING: ReadonlySet<string> = new Set<OperationName>([
  'suspendKey',
  'revokeKey',
  'destroyKey',
  'shredKey',
  'restoreKey',
  'putKeyPolicy',
  'deleteKeyPolicy',
  'revokeToken',
  'deleteIdentityBinding',
  'denyIdentity',
  'cancelMigration',
]);

/** Changes of a tenant as a whole, whose answers are kept with the service's own: no limit of the tenant is read for them. */
const OF_TENANTS: ReadonlySet<string> = new Set<OperationName>(['updateTenant', 'rotateMasterKey', 'shredTenant']);

/**
 * Does an operation under an idempotency key, with as many answers kept as the tenant of the caller may have. For the platform
 * itself there is room for any number: nobody else adds to its answers.
 *
 * @param name of the operation
 * @throws KmsError `TOO_MANY_REQUESTS` when there is no room for the answer, and the operation is not one that ends something: that is done
 *   without its answer being kept
 */
export function once<T>(
  request: IdempotencyRequest,
  op: Omit<Operation, 'idempotency'>,
  name: string,
  work: (op: Operation) => MaybePromise<T>,
): MaybePromise<T> {
  const { kms, caller } = op;
  if (caller.tenantId === SYSTEM_TENANT || OF_TENANTS.has(name)) return work({ ...op, idempotency: request });
  return andThen(kms.quotas.of(caller.tenantId), async ({ keptAnswers }) => {
    try {
      return await work({ ...op, idempotency: { ...request, atMost: atMost(keptAnswers) } });
    } catch (error) {
      if (!ENDING.has(name) || !isTooManyAnswers(error)) throw error;
      return work(op);
    }
  });
}
