import type { Caller } from '../access/caller.ts';
import { OperationEvidence, SERVICE_ITSELF } from '../evidence/operation-evidence.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { IdempotencyRequest } from '../model/change-request.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { Client } from '../ports/jobs.ts';
import { OPERATIONS, type OperationName } from './catalog.ts';
import type { Kms } from './kms.ts';

/**
 * One call of an operation, made once for it: what it works with, who calls, and what it leaves. The first parameter of each operation.
 * An operation is called so, `await encrypt({ kms, caller }, { keyId, plaintext })`, or by a method of an opened KMS.
 */
export interface Operation<Parts = Kms> {
  readonly kms: Parts;
  /** Who calls; {@link operationOfService} for what nobody calls. */
  readonly caller: Caller;
  /** What the call leaves behind; absent when no evidence is kept. */
  readonly evidence?: OperationEvidence | undefined;
  /** Makes an operation that changes something run only once, however often the call is repeated. */
  readonly idempotency?: IdempotencyRequest | undefined;
  /**
   * Takes what a piece of work costs from the limit of the caller, before it is done; throws `TOO_MANY_REQUESTS`. Absent where nobody is
   * held to a limit. A unit of each piece is in what was paid for the call.
   */
  readonly pay?: ((units: number) => MaybePromise<void>) | undefined;
  /** Who waits for the answer: slow work that has not begun when they are gone is not done. Absent where nobody can go. */
  readonly client?: Client | undefined;
  /** Hears within the unit of work that changes a key whether the caller may read the key as the change leaves it; the last word counts. */
  readonly onReadable?: ((readable: boolean) => void) | undefined;
}

/** The parts of the service that its own evidence needs. */
type ServiceParts = Pick<Kms, 'clock' | 'evidence'>;

/**
 * An operation that the service does by itself, at its start or on a schedule.
 *
 * @param tenantId whose chain its events are in; the service's own without it
 */
export function operationOfService<Parts extends ServiceParts>(
  kms: Parts,
  name: OperationName,
  tenantId: TenantId = SYSTEM_TENANT,
): Operation<Parts> {
  const evidence =
    kms.evidence &&
    new OperationEvidence(kms.evidence.trail, kms.clock, {
      tenantId,
      actor: SERVICE_ITSELF,
      context: { requestId: null, userAgent: null, source: 'service', ip: null },
      action: name,
      eventType: OPERATIONS[name].event,
    });
  return { kms, caller: theService(tenantId), evidence };
}

/** An operation that the service performs by itself during another one: its events name the request of that one. */
export function unattended<Parts>(
  { kms, evidence }: Operation<Parts>,
  name: OperationName,
  tenantId: TenantId,
): Operation<Parts> {
  const own = evidence?.unattended({ tenantId, action: name, eventType: OPERATIONS[name].event });
  return { kms, caller: theService(tenantId), evidence: own };
}

/** No operation asks for a permission where nobody calls, so the service holds none. */
function theService(tenantId: TenantId): Caller {
  return { tenantId, subject: SERVICE_ITSELF.id, permissions: new Set(), attributes: { ip: null, mfa: false } };
}
