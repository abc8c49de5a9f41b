import { type Caller, type Identity, KmsError, type PresentedCredentials, type TenantId } from '@qnsp/kms-core';
import { callerOf, type OperationEvidence } from '@qnsp/kms-core/internal';
import { type Client, type MaybePromise, notAuthorized } from '@qnsp/kms-core/ports';
import { Bill } from './bill.ts';
import type { CallTarget } from './call-target.ts';
import { costOf } from './cost.ts';
import type { Edge } from './edge.ts';
import { goneSignal } from './gone-client.ts';
import { recheckCredential } from './recheck-credential.ts';
import { callerAddress } from './request-facts.ts';
import type { RequestHead } from './request-head.ts';

/** What a dialect is called. */
export interface Wire {
  /** By metrics and the log. */
  readonly name: string;
  /** By evidence. */
  readonly source: string;
}

/** What a request presents to prove who makes it. */
export interface Presented extends PresentedCredentials {
  /** Where the call comes from, where an application settled that itself; default: as `callerAddress` has it. */
  readonly address?: string | null;
  /**
   * Where the body is part of the proof: what is presented together with it. Then the body is read of everybody, before anything is
   * known of who sent it, so the limit of every target has to be a small one.
   */
  readonly withBody?: (this: void, body: Buffer) => PresentedCredentials;
}

/** Who signed in, by what. */
export interface SignedIn {
  readonly identity: Identity;
  readonly presented: Presented;
}

/** One call on its way through the edge: what is known of it so far. */
export class Call<Target extends CallTarget = CallTarget> implements Client {
  readonly edge: Edge;
  readonly wire: Wire;
  readonly incoming: RequestHead;
  readonly requestId: string;
  readonly target: Target;
  readonly startedAt = performance.now();
  /** Absent on an open call, which nobody signs in to, and before anybody has signed in. */
  signedIn: SignedIn | undefined;
  /** What it leaves behind; absent where it leaves nothing. */
  evidence: OperationEvidence | undefined;
  /** Whether who signed in is held to a limit of rates. */
  isLimited = false;
  #caller: Caller | undefined;
  #ofRequest: string | null | undefined;

  constructor(edge: Edge, wire: Wire, incoming: RequestHead, requestId: string, target: Target) {
    this.edge = edge;
    this.wire = wire;
    this.incoming = incoming;
    this.requestId = requestId;
    this.target = target;
  }

  /** Is aborted when the connection is closed. Asked for only where that matters: most calls are over before. */
  get gone(): AbortSignal {
    return goneSignal(this.incoming.socket);
  }

  /** Who calls, as far as that is settled. */
  get caller(): Caller | undefined {
    return this.#caller;
  }

  /** Where it comes from. Throws as `callerAddress` does. */
  get address(): string | null {
    const settled = this.signedIn?.presented.address;
    if (settled !== undefined) return settled;
    return (this.#ofRequest ??= callerAddress(this.incoming, this.edge.gatewayCredential));
  }

  /**
   * Settles for which tenant a signed in call is, and where it comes from: from here on that is known to the log and the evidence.
   *
   * @throws KmsError `FORBIDDEN` where the credential is for other addresses; otherwise as `callerAddress`
   */
  settle(tenantId: TenantId): Caller {
    // Nothing in an open call asks who calls.
    if (this.signedIn === undefined) throw new KmsError('INTERNAL_ERROR', 'Nobody signed in to this call.');
    const { address } = this;
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

  /** Takes what a call of this kind costs, its work with key material aside, from the limit of the caller. Throws `TOO_MANY_REQUESTS`. */
  pay(): MaybePromise<void> {
    const { rateLimiter } = this.edge;
    if (rateLimiter === undefined || this.signedIn === undefined) return undefined;
    const { operation } = this.target.kind;
    return rateLimiter.take(this.signedIn.identity, operation, costOf(operation));
  }

  /**
   * What the call still owes once more is known of it, if it does the work of this many; `undefined` where nobody is held to a limit.
   * What was paid for the call is part of it, and is given back where the rest is refused.
   */
  bill(calls = 1): Bill | undefined {
    const { rateLimiter } = this.edge;
    if (!this.isLimited || rateLimiter === undefined || this.signedIn === undefined) return undefined;
    const { identity } = this.signedIn;
    const { operation } = this.target.kind;
    return new Bill(calls, costOf(operation), (cost, paid) => rateLimiter.take(identity, operation, cost, paid));
  }
}
