import { type Caller, callerOf } from '../access/caller.ts';
import { localCaller } from '../access/local-caller.ts';
import { RefusedCredential } from '../access/refused-credential.ts';
import { RefusedTokens } from '../access/refused-tokens.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import { KmsError } from '../errors/kms-error.ts';
import { describeRequest } from '../evidence/describe-request.ts';
import { OperationEvidence, withEvidence } from '../evidence/operation-evidence.ts';
import type { AlertSink } from '../model/alert.ts';
import { ACCESS_DENIED, type AuditContext } from '../model/audit-event.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { apiTokenVerifier, verifyCredentials } from '../operations/credentials.ts';
import { OPERATIONS } from '../operations/catalog.ts';
import type { Kms } from '../operations/kms.ts';
import { type Operation, operationOfService } from '../operations/operation.ts';
import type { ListTenantsResult, TenantDescription } from '../operations/tenants.ts';
import type { CredentialVerifier, PresentedCredentials } from '../ports/credential-verifier.ts';
import { inputFingerprint } from './input-fingerprint.ts';
import { type CallerKms, methodsOf, type OwnKms } from './methods.ts';
import { CALLERS_OPERATIONS, type CallersOperation, OWN_OPERATIONS } from './operations-by-name.ts';
import type { RunningCalls } from './running-calls.ts';

/** What is known of calls besides who makes them. */
export interface CallFacts {
  /** The id of the request that they belong to, for the evidence. */
  readonly requestId?: string | null;
  /** The part of the application that took them, for the evidence; default: `library`. */
  readonly source?: string;
  /** The program of the client, for the evidence. */
  readonly userAgent?: string | null;
  /**
   * A key of at most 255 characters: an operation that changes something is done once under it in 24 hours, and a repeated call
   * gets the same answer. Another call under the same key is refused as `IDEMPOTENCY_MISMATCH`.
   */
  readonly idempotencyKey?: string;
}

/** What is known of somebody who presents a credential. */
export interface Presenter {
  /** The tenant that the call is for. A credential of a tenant is for that one; one of the platform needs it, or acts for the platform. */
  readonly tenantId?: TenantId;
  /** The address, for policies and evidence; default: unknown. */
  readonly ip?: string | null;
  /** The id of the request, for the evidence of a refusal. */
  readonly requestId?: string | null;
}

interface Parts {
  readonly calls: RunningCalls;
  readonly alert: AlertSink;
  readonly verifiers: readonly CredentialVerifier[];
  readonly close: () => Promise<void>;
}

const SOURCE = 'library';

/** A key management system that is open. Made by {@link openKms}. */
export class OpenedKms implements AsyncDisposable {
  /** The parts, for programs that call operations of the core themselves. What they leave in evidence is theirs to see to. */
  readonly parts: Kms;
  /** The work of the KMS itself: the first tenant, the platform token, due work by hand. */
  readonly own: OwnKms;
  readonly #calls: RunningCalls;
  readonly #alert: AlertSink;
  readonly #verifiers: readonly CredentialVerifier[];
  readonly #refused = new RefusedTokens();
  readonly #close: () => Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(kms: Kms, { calls, alert, verifiers, close }: Parts) {
    this.parts = kms;
    this.#calls = calls;
    this.#alert = alert;
    this.#verifiers = [apiTokenVerifier(kms), ...verifiers];
    this.#close = close;
    this.own = methodsOf(OWN_OPERATIONS, (name, operation, rest) =>
      calls.run(async () => operation(operationOfService(kms, name), ...rest)),
    );
  }

  /**
   * Every operation, for one caller. What is answered may be kept and used for any number of calls.
   *
   * @example
   * const { keyId } = await kms.as(caller, { requestId: request.id }).createKey({ name: 'orders' });
   */
  as(caller: Caller, facts: CallFacts = {}): CallerKms {
    return methodsOf(CALLERS_OPERATIONS, (name, operation, rest) =>
      this.#calls.run(() => this.#call(caller, facts, name, (op) => operation(op, ...inputOf(operation, rest)), rest)),
    );
  }

  /**
   * The tenant of a name: the one that there is, or a new one. Processes that start at the same time get the same one.
   *
   * @throws KmsError `CONFLICT` when several tenants have the name.
   * @example
   * const caller = localCaller({ tenantId: await kms.ensureTenant('orders'), subject: user.id, role: 'key_user' });
   */
  async ensureTenant(name: string): Promise<TenantId> {
    const platform = localCaller({ tenantId: SYSTEM_TENANT, subject: SOURCE, role: 'platform_admin' });
    const ofName: TenantDescription[] = [];
    let cursor: string | null | undefined;
    do {
      const page: ListTenantsResult = await this.as(platform).listTenants({ limit: 200, ...(cursor && { cursor }) });
      ofName.push(...page.items.filter((tenant) => tenant.name === name));
      cursor = page.nextCursor;
    } while (cursor !== null);
    const [found, ...others] = ofName.filter(({ state }) => state === 'active');
    if (others.length > 0) throw new KmsError('CONFLICT', 'Several tenants have this name: name the one by its id.');
    if (found !== undefined) return found.tenantId;
    // Once for each tenant of the name that was shredded, too.
    const made = this.as(platform, { idempotencyKey: `tenant ${ofName.length} ${name}` }).createTenant({ name });
    return (await made).tenantId;
  }

  /**
   * Finds out who presents a credential.
   *
   * @throws KmsError `UNAUTHORIZED` for a credential that nobody may use; `TENANT_MISMATCH` for one of another tenant.
   * @example
   * const caller = await kms.authenticate({ bearer: token }, { ip: request.ip });
   */
  authenticate(presented: PresentedCredentials, presenter: Presenter = {}): Promise<Caller> {
    return this.#calls.run(async () => {
      const { tenantId, ip = null } = presenter;
      const identity = await this.#identify(presented, presenter);
      if (identity.tenantId !== null && tenantId !== undefined && tenantId !== identity.tenantId)
        throw new KmsError('TENANT_MISMATCH', 'The call is for a tenant other than that of the credential.');
      return callerOf(identity, identity.tenantId ?? tenantId ?? SYSTEM_TENANT, ip);
    });
  }

  /** Takes no more calls, waits for those that run, and closes everything, the storage as well. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #call(
    caller: Caller,
    facts: CallFacts,
    name: CallersOperation,
    operation: (op: Operation) => MaybePromise<unknown>,
    input: readonly unknown[],
  ): MaybePromise<unknown> {
    const { requestId = null, source = SOURCE, userAgent = null, idempotencyKey } = facts;
    const { tenantId, subject, attributes } = caller;
    const evidence = this.#evidence(tenantId, subject, name, { requestId, source, userAgent, ip: attributes.ip });
    const isOnce = idempotencyKey !== undefined && OPERATIONS[name].changes;
    return withEvidence(evidence, () => {
      if (evidence !== undefined) describeRequest(evidence, { params: input[0], body: input[0] });
      const idempotency = isOnce
        ? { key: idempotencyKey, fingerprint: inputFingerprint(subject, name, input) }
        : undefined;
      return operation({ kms: this.parts, caller, evidence, idempotency });
    });
  }

  async #identify(presented: PresentedCredentials, { ip = null, requestId = null }: Presenter) {
    try {
      return await verifyCredentials(this.#verifiers, presented);
    } catch (error) {
      if (RefusedCredential.is(error) && this.#refused.takes(error, error.code)) {
        const context = { requestId, source: SOURCE, userAgent: null, ip };
        const evidence = this.#evidence(error.tenantId ?? SYSTEM_TENANT, error.subject, 'authenticate', context);
        await this.#leaveRefusal(evidence, error.code);
      }
      throw error;
    }
  }

  /** The call did nothing and is refused all the same, whether or not that can be recorded. */
  async #leaveRefusal(evidence: OperationEvidence | undefined, code: KmsError['code']): Promise<void> {
    try {
      evidence?.requireRoom();
      await evidence?.refused(code);
    } catch (cause) {
      if (!KmsError.is(cause)) throw cause;
      this.#alert({ kind: 'evidence-missed', message: 'The refusal of a token could not be recorded.', cause });
    }
  }

  #evidence(
    tenantId: TenantId,
    id: string,
    action: CallersOperation | 'authenticate',
    context: AuditContext,
  ): OperationEvidence | undefined {
    const { evidence, clock } = this.parts;
    if (evidence === undefined) return undefined;
    const eventType = action === 'authenticate' ? ACCESS_DENIED : OPERATIONS[action].event;
    return new OperationEvidence(evidence.trail, clock, {
      tenantId,
      actor: { type: 'service', id },
      context,
      action,
      eventType,
    });
  }
}

/** What an operation is given: an input without required fields may be left out. */
function inputOf(operation: { readonly length: number }, rest: readonly unknown[]): readonly unknown[] {
  return operation.length > 1 && rest[0] === undefined ? [{}, ...rest.slice(1)] : rest;
}
