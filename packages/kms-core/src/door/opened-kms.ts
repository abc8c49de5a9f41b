import { createHash } from 'node:crypto';
import { type Caller, callerOf } from '../access/caller.ts';
import { localCaller } from './local-caller.ts';
import { RefusedCredential } from '../access/refused-credential.ts';
import { RefusedTokens } from '../access/refused-tokens.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkCaller, checkFacts, checkPresented } from '../bounds/check-caller.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { actorOf } from '../evidence/actor-of.ts';
import { describeRequest } from '../evidence/describe-request.ts';
import { OperationEvidence, withEvidence } from '../evidence/operation-evidence.ts';
import type { AlertSink } from '../model/alert.ts';
import { ACCESS_DENIED, type AuditActor, type AuditContext } from '../model/audit-event.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { apiTokenVerifier, verifyCredentials } from '../operations/credentials.ts';
import { OPERATIONS } from '../operations/catalog.ts';
import type { Kms } from '../operations/kms.ts';
import { once } from '../operations/once.ts';
import { type Operation, operationOfService } from '../operations/operation.ts';
import type { TenantDescription } from '../model/describe-tenant.ts';
import type { ListTenantsResult } from '../operations/tenants.ts';
import type { CredentialVerifier, PresentedCredentials } from '../ports/credential-verifier.ts';
import { inputFingerprint } from './input-fingerprint.ts';
import type { CallerKms } from './callers/callers-kms.ts';
import type { OwnKms } from './callers/own.ts';
import { checkFields } from './input-fields.ts';
import { methodsOf } from './methods.ts';
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
  /** Is aborted when nobody waits for the answers any more: slow work that has not begun by then is not done, and the call rejects with its reason. */
  readonly signal?: AbortSignal;
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
  /**
   * For programs that call operations of the {@link parts} themselves: checks that anything is served.
   *
   * @throws KmsError `SEALED` once the KMS was closed, or its database was replaced.
   */
  readonly requireServing: () => void;
  readonly #calls: RunningCalls;
  readonly #alert: AlertSink;
  readonly #verifiers: readonly CredentialVerifier[];
  readonly #refused = new RefusedTokens();
  readonly #close: () => Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(kms: Kms, { calls, alert, verifiers, close }: Parts) {
    this.parts = kms;
    this.#calls = calls;
    this.requireServing = calls.requireServing;
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
   * @throws KmsError `BAD_REQUEST` for a caller or facts that are none.
   * @example
   * import { localCaller } from '@qnsp/kms-core';
   * const caller = localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' });
   * const { keyId } = await kms.as(caller, { requestId: 'r-1', source: 'orders' }).createKey({ name: 'orders' });
   * // Done once, however often it is called under one idempotency key.
   * const once = kms.as(caller, { idempotencyKey: 'first rotation' });
   * await once.rotateKey({ keyId });
   * await once.rotateKey({ keyId });
   * console.log((await kms.as(caller).getKey({ keyId })).currentVersion); // 2
   */
  as(caller: Caller, facts: CallFacts = {}): CallerKms {
    checkCaller(caller);
    const { requestId = null, source = SOURCE, userAgent = null } = facts;
    checkFacts({ requestId, source, userAgent });
    return methodsOf(CALLERS_OPERATIONS, (name, operation, rest) =>
      this.#calls.run(() =>
        this.#call(caller, facts, name, (op) => operation(op, ...inputOf(name, operation, rest)), rest),
      ),
    );
  }

  /**
   * The tenant of a name: the one that there is, or a new one. Processes that start at the same time get the same one.
   *
   * @throws KmsError `CONFLICT` when several tenants have the name.
   * @example
   * const [one, two] = await Promise.all([kms.ensureTenant('florist'), kms.ensureTenant('florist')]);
   * console.log(one === two); // true
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
    const key = `tenant ${ofName.length} ${name}`;
    const isLong = key.length > BOUNDS.idempotencyKeyCharacters;
    const idempotencyKey = isLong ? createHash('sha256').update(key).digest('base64url') : key;
    const made = this.as(platform, { idempotencyKey }).createTenant({ name });
    return (await made).tenantId;
  }

  /**
   * Finds out who presents a credential.
   *
   * @throws KmsError `UNAUTHORIZED` for a credential that nobody may use; `TENANT_MISMATCH` for one of another tenant; `BAD_REQUEST` for
   *   credentials or a presenter that are none.
   * @example
   * const { token } = await ada.createToken({ name: 'importer', role: 'key_user' });
   * const caller = await kms.authenticate({ bearer: token }, { ip: '192.0.2.1', requestId: 'r-1' });
   * console.log(caller.tenantId === tenantId, caller.attributes.ip); // true 192.0.2.1
   * console.log(await kms.authenticate({ bearer: 'guessed' }).catch((error) => error.code)); // UNAUTHORIZED
   */
  authenticate(presented: PresentedCredentials, presenter: Presenter = {}): Promise<Caller> {
    return this.#calls.run(async () => {
      checkPresented(presented, presenter);
      const { tenantId, ip = null } = presenter;
      const identity = await this.#identify(presented, presenter);
      if (identity.tenantId !== null && tenantId !== undefined && tenantId !== identity.tenantId)
        throw new KmsError('TENANT_MISMATCH', 'The call is for a tenant other than that of the credential.');
      return callerOf(identity, identity.tenantId ?? tenantId ?? SYSTEM_TENANT, ip);
    });
  }

  /**
   * Runs work that calls operations of the {@link parts}: {@link close} waits for it.
   *
   * @throws KmsError as {@link requireServing}
   */
  run<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#calls.run(work);
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
    const { requestId = null, source = SOURCE, userAgent = null, idempotencyKey, signal } = facts;
    const { tenantId, subject, attributes, credential } = caller;
    const actor = actorOf({ subject, credential: credential?.credential ?? 'api-token' });
    const evidence = this.#evidence(tenantId, actor, name, { requestId, source, userAgent, ip: attributes.ip });
    const isOnce = idempotencyKey !== undefined && OPERATIONS[name].changes;
    return withEvidence(evidence, () => {
      if (evidence !== undefined) describeRequest(evidence, { params: input[0], body: input[0] });
      const op = { kms: this.parts, caller, evidence, client: signal && { gone: signal } };
      if (!isOnce) return operation(op);
      return once({ key: idempotencyKey, fingerprint: inputFingerprint(subject, name, input) }, op, name, operation);
    });
  }

  async #identify(presented: PresentedCredentials, { ip = null, requestId = null }: Presenter) {
    try {
      return await verifyCredentials(this.#verifiers, presented);
    } catch (error) {
      if (RefusedCredential.is(error)) {
        const context = { requestId, source: SOURCE, userAgent: null, ip };
        await this.#leaveRefusal(
          this.#evidence(error.tenantId ?? SYSTEM_TENANT, actorOf(error), 'authenticate', context),
          error,
        );
      }
      throw error;
    }
  }

  /** The call did nothing and is refused all the same, whether or not that can be recorded. */
  async #leaveRefusal(evidence: OperationEvidence | undefined, error: RefusedCredential): Promise<void> {
    if (evidence === undefined) return;
    const refusedBefore = this.#refused.takes(error, error);
    if (refusedBefore === undefined) return;
    try {
      evidence.requireRoom();
      await evidence.refused(error, refusedBefore);
    } catch (cause) {
      if (!KmsError.is(cause)) throw cause;
      this.#refused.missed(error, refusedBefore);
      this.#alert({ kind: 'evidence-missed', message: 'The refusal of a token could not be recorded.', cause });
    }
  }

  #evidence(
    tenantId: TenantId,
    actor: AuditActor,
    action: CallersOperation | 'authenticate',
    context: AuditContext,
  ): OperationEvidence | undefined {
    const { evidence, clock } = this.parts;
    if (evidence === undefined) return undefined;
    const eventType = action === 'authenticate' ? ACCESS_DENIED : OPERATIONS[action].event;
    return new OperationEvidence(evidence.trail, clock, {
      tenantId,
      actor,
      context,
      action,
      eventType,
    });
  }
}

/**
 * What an operation is given: an input without required fields may be left out. Throws `BAD_REQUEST` for one that is no object, and for one
 * with a field that the operation does not have.
 */
function inputOf(
  name: CallersOperation,
  operation: { readonly length: number },
  rest: readonly unknown[],
): readonly unknown[] {
  const [input] = rest;
  if (operation.length > 1 && input === undefined) return [{}, ...rest.slice(1)];
  if (input !== undefined && (typeof input !== 'object' || input === null))
    throw badRequest('input', 'must be an object');
  if (input !== undefined) checkFields(name, input);
  return rest;
}
