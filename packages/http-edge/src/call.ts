import type { IncomingMessage } from 'node:http';
import { type Caller, type Identity, KmsError, type PresentedCredentials, type TenantId } from '@qnsp/kms-core';
import { callerOf, type OperationEvidence } from '@qnsp/kms-core/internal';
import { type MaybePromise, notAuthorized } from '@qnsp/kms-core/ports';
import type { CallTarget } from './call-target.ts';
import { costOf } from './cost.ts';
import type { Edge } from './edge.ts';
import { recheckCredential } from './recheck-credential.ts';

/** What a dialect is called. */
export interface Wire {
  /** By metrics and the log. */
  readonly name: string;
  /** By evidence. */
  readonly source: string;
}

/** Who signed in, by what. */
export interface SignedIn {
  readonly identity: Identity;
  readonly presented: PresentedCredentials;
}

/** One call on its way through the edge: what is known of it so far. */
export class Call<Target extends CallTarget = CallTarget> {
  readonly edge: Edge;
  readonly wire: Wire;
  readonly incoming: IncomingMessage;
  readonly requestId: string;
  readonly target: Target;
  readonly startedAt = performance.now();
  /** Absent on an open call, which nobody signs in to, and before anybody has signed in. */
  signedIn: SignedIn | undefined;
  /** What it leaves behind; absent where it leaves nothing. */
  evidence: OperationEvidence | undefined;
  #caller: Caller | undefined;

  constructor(edge: Edge, wire: Wire, incoming: IncomingMessage, requestId: string, target: Target) {
    this.edge = edge;
    this.wire = wire;
    this.incoming = incoming;
    this.requestId = requestId;
    this.target = target;
  }

  /** Who calls, as far as that is settled. */
  get caller(): Caller | undefined {
    return this.#caller;
  }

  /**
   * Settles for which tenant a signed in call is, and from which address: from here on that is known to the log and the evidence.
   *
   * @param address as `callerAddress` has it
   */
  settle(tenantId: TenantId, address: string | null): Caller {
    // Nothing in an open call asks who calls.
    if (this.signedIn === undefined) throw new KmsError('INTERNAL_ERROR', 'Nobody signed in to this call.');
    this.#caller = callerOf(this.signedIn.identity, tenantId, address);
    this.evidence?.actsFor(tenantId, address);
    return this.#caller;
  }

  /**
   * What throws `UNAUTHORIZED` once the credential is not valid any more, and otherwise makes the caller what the credential stands
   * for by then; `undefined` where nobody signed in.
   */
  recheck(): (() => MaybePromise<void>) | undefined {
    const { signedIn } = this;
    return signedIn && recheckCredential(this.edge.verifiers, signedIn.presented, (identity) => this.#renew(identity));
  }

  #renew(identity: Identity): void {
    if (this.signedIn === undefined) return;
    const { identity: before, presented } = this.signedIn;
    if (identity === before) return;
    // What was settled and recorded is of the one who signed in.
    if (identity.subject !== before.subject || identity.tenantId !== before.tenantId) throw notAuthorized();
    this.signedIn = { identity, presented };
    if (this.#caller !== undefined)
      this.#caller = callerOf(identity, this.#caller.tenantId, this.#caller.attributes.ip);
  }

  /** Takes what a call of this kind costs from the limit of the caller. Throws `TOO_MANY_REQUESTS`. */
  pay(): MaybePromise<void> {
    const { rateLimiter } = this.edge;
    if (rateLimiter === undefined || this.signedIn === undefined) return undefined;
    const { operation } = this.target.kind;
    return rateLimiter.take(this.signedIn.identity, operation, costOf(operation));
  }

  /** Takes what is still to be paid of a call that does the work of this many. When that is refused, nothing was taken for the call. */
  payFor(calls: number): MaybePromise<void> {
    const { rateLimiter } = this.edge;
    if (rateLimiter === undefined || this.signedIn === undefined || calls <= 1) return undefined;
    const { operation } = this.target.kind;
    const paid = costOf(operation);
    return rateLimiter.take(this.signedIn.identity, operation, paid * calls, paid);
  }
}
