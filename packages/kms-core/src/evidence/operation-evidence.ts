import type { KnownRefusal } from '../access/refused-tokens.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import { KmsError } from '../errors/kms-error.ts';
import { OutcomeUnknown } from '../errors/outcome-unknown.ts';
import { newId, type TenantId } from '../model/identifiers.ts';
import type { EvidenceTrail } from '../ports/evidence-trail.ts';
import type { UnitOfWork } from '../ports/store.ts';
import {
  ACCESS_DENIED,
  type AuditActor,
  type AuditContext,
  type AuditEvent,
  type AuditEventType,
  type AuditFacts,
  type AuditResource,
  type AuditResult,
} from '../model/audit-event.ts';

/** What is known of an operation when it begins. */
export interface OperationCall {
  readonly tenantId: TenantId;
  readonly actor: AuditActor;
  readonly context: AuditContext;
  /** The operation's id in the catalogue. */
  readonly action: string;
  /** The type of its event; `null` where it leaves only those of the changes that it makes. */
  readonly eventType: AuditEventType | null;
}

/** A change that commits together with its event. */
export interface RecordedChange {
  readonly eventType: AuditEventType;
  readonly resource: AuditResource;
  readonly before: AuditFacts | null;
  readonly after: AuditFacts | null;
}

/** Who acts when nobody called. */
export const SERVICE_ITSELF: AuditActor = { type: 'system', id: 'kms-service' };

const NO_RESOURCE: AuditResource = { type: 'service', id: null, version: null };

/**
 * The evidence of one operation, from its beginning to its end: it leaves at least one event, whatever becomes of it. A
 * change leaves its event in the unit of work of the change; everything else leaves one when it ends.
 */
export class OperationEvidence {
  readonly #trail: EvidenceTrail;
  readonly #clock: () => number;
  #call: OperationCall;
  #resource = NO_RESOURCE;
  #contextKeys: readonly string[] = [];
  /** Whether a unit of work holds the event already; it counts only when the operation ends well. */
  #recorded = false;
  /** What was denied to items of the same request already. */
  #denials: Set<string> | undefined;

  constructor(trail: EvidenceTrail, clock: () => number, call: OperationCall) {
    this.#trail = trail;
    this.#clock = clock;
    this.#call = call;
  }

  /** For work that the service does by itself, within this operation. */
  unattended(call: Pick<OperationCall, 'tenantId' | 'action' | 'eventType'>): OperationEvidence {
    const { requestId } = this.#call.context;
    const context = { requestId, userAgent: null, source: 'service', ip: null };
    return new OperationEvidence(this.#trail, this.#clock, { ...call, actor: SERVICE_ITSELF, context });
  }

  /** The request holds several operations, and each leaves its own event. This one leaves one only when it fails. */
  comesInItems(): void {
    this.#recorded = true;
    this.#denials = new Set();
  }

  /** One of several operations that came in one request. */
  item(): OperationEvidence {
    const item = new OperationEvidence(this.#trail, this.#clock, this.#call);
    item.#denials = this.#denials;
    return item;
  }

  /** Throws `AUDIT_UNAVAILABLE` when the operation could leave no evidence. */
  requireRoom(): void {
    this.#trail.requireRoom(this.#call.tenantId);
  }

  /** The request turned out to ask for something else than what its operation does otherwise. */
  becomes(eventType: AuditEventType): void {
    this.#call = { ...this.#call, eventType };
  }

  /** The credential turned out to act for this tenant, from this address. */
  actsFor(tenantId: TenantId, ip: string | null): void {
    this.#call = { ...this.#call, tenantId, context: { ...this.#call.context, ip } };
  }

  /** The request was understood, and this is what it is about. */
  concerns(resource: AuditResource, contextKeys: readonly string[]): void {
    this.#resource = resource;
    this.#contextKeys = contextKeys;
  }

  /** A key of the tenant, or a version of it, is being used. */
  uses(keyId: string, version: number | null): void {
    this.#resource = { type: 'key', id: keyId, version };
  }

  /**
   * A part of the operation is done with the key in use, and it continues with another key: that part leaves its own
   * event.
   */
  async passes(eventType: AuditEventType): Promise<void> {
    await this.#record(this.#event(eventType, 'success', this.#resource, undefined));
  }

  /** Records a change in its unit of work: both become durable, or neither does. */
  async changed(unit: UnitOfWork, { eventType, resource, before, after }: RecordedChange): Promise<void> {
    this.#recorded = true;
    const event = this.#event(eventType, 'success', resource, undefined, unit.now);
    try {
      await unit.evidence.append([{ ...event, changes: { before, after } }]);
    } catch (cause) {
      throw auditUnavailable(cause);
    }
  }

  succeeded(): Promise<void> {
    const { eventType } = this.#call;
    if (this.#recorded || eventType === null) return Promise.resolve();
    return this.#record(this.#event(eventType, 'success', this.#resource, undefined));
  }

  /**
   * It is known whose credential it is, and the call was not let in.
   *
   * @param refusedBefore how many such refusals left no event
   */
  refused({ code, refusedFor }: KnownRefusal, refusedBefore: number): Promise<void> {
    const event = this.#event(ACCESS_DENIED, 'denied', this.#resource, code);
    return this.#record({
      ...event,
      ...(refusedBefore === 0 ? {} : { refusedBefore }),
      ...(refusedFor === undefined ? {} : { refusedFor }),
    });
  }

  async failed(error: unknown): Promise<void> {
    const code = KmsError.is(error) ? error.code : 'INTERNAL_ERROR';
    // There is no point in asking for room that was just refused. What is above a limit is not done and may be asked for without end: who
    // refuses it says so now and then.
    if (code === 'AUDIT_UNAVAILABLE' || code === 'TOO_MANY_REQUESTS') return;
    const denied = code === 'FORBIDDEN' || code === 'TENANT_MISMATCH';
    if (denied && this.#isDeniedAgain(error)) return;
    const type = denied ? ACCESS_DENIED : this.#call.eventType;
    if (type === null) return;
    const event = this.#event(type, denied ? 'denied' : 'failure', this.#resource, code);
    if (this.#recorded && OutcomeUnknown.is(error)) this.#recordUnlessMade(event, error);
    else await this.#record(event);
  }

  /** The event of the change is durable when the change is. Only when it turns out that it is not, the failure is what was. */
  #recordUnlessMade(event: AuditEvent, { made }: OutcomeUnknown): void {
    void made
      .then(async (wasMade) => {
        if (!wasMade) await this.#record(event);
      })
      .catch(() => {
        // The store went away again. The call is answered: nobody is left who could be told that its failure left no evidence.
      });
  }

  /**
   * Whether an item of the same request was denied for the same reason: a thousand items without the permission are one
   * attempt, and leave one event. What the policy of a key denies is an attempt at that key, and so is what a credential for other
   * keys asks of it: it may be looking for keys that it could use.
   */
  #isDeniedAgain(error: unknown): boolean {
    if (this.#denials === undefined || !KmsError.is(error)) return false;
    const { permission, deniedBy } = error.details ?? {};
    const attempt = `${error.code} ${String(permission)} ${deniedBy === undefined ? '' : this.#resource.id}`;
    const isKnown = this.#denials.has(attempt);
    this.#denials.add(attempt);
    return isKnown;
  }

  #record(event: AuditEvent): Promise<void> {
    return this.#trail.record(event).catch((cause: unknown) => {
      throw auditUnavailable(cause);
    });
  }

  #event(
    eventType: AuditEventType,
    result: AuditResult,
    resource: AuditResource,
    errorCode: KmsError['code'] | undefined,
    at: Date = new Date(this.#clock()),
  ): AuditEvent {
    const { tenantId, actor, action, context } = this.#call;
    // In the order of their names, which is that of the canonical form (RFC 8785): it is made faster from what is in order.
    return {
      action,
      actor: { id: actor.id, type: actor.type },
      context: {
        ip: context.ip,
        requestId: context.requestId,
        source: context.source,
        userAgent: context.userAgent,
      },
      ...(errorCode === undefined ? {} : { errorCode }),
      eventId: newId(),
      eventType,
      request: { contextKeys: this.#contextKeys },
      resource: { id: resource.id, type: resource.type, version: resource.version },
      result,
      tenantId,
      timestamp: at.toISOString(),
    };
  }
}

/**
 * Runs an operation so that its answer waits for its evidence: if that cannot be written, there is no answer, even if
 * the work was done.
 *
 * @throws KmsError what `work` throws, or `AUDIT_UNAVAILABLE`.
 */
export function withEvidence<T>(evidence: OperationEvidence | undefined, work: () => MaybePromise<T>): MaybePromise<T> {
  if (evidence === undefined) return work();
  const succeed = (answer: T) => evidence.succeeded().then(() => answer);
  const fail = async (error: unknown): Promise<never> => {
    await evidence.failed(error);
    throw error;
  };
  try {
    evidence.requireRoom();
    const answer = work();
    return answer instanceof Promise ? answer.then(succeed, fail) : succeed(answer);
  } catch (error) {
    return fail(error);
  }
}

function auditUnavailable(cause: unknown): KmsError {
  if (KmsError.is(cause) && cause.code === 'AUDIT_UNAVAILABLE') return cause;
  return new KmsError(
    'AUDIT_UNAVAILABLE',
    'The operation could not be recorded as evidence, so it was not carried out or its result is withheld.',
    {
      retryAfterSeconds: 1,
      cause,
    },
  );
}
