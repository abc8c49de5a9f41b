import type { IncomingMessage } from 'node:http';
import { withEvidence } from '@qnsp/kms-core/internal';
import { andThen, type MaybePromise } from '@qnsp/kms-core/ports';
import type { Answer } from './answer.ts';
import { authenticate } from './authenticate.ts';
import { beginEvidence } from './begin-evidence.ts';
import { Call, type Presented, type SignedIn } from './call.ts';
import { type BodyRead, readCallBody } from './call-body.ts';
import type { CallTarget } from './call-target.ts';
import { certificateOf } from './client-certificate.ts';
import type { Dialect } from './dialect.ts';
import type { Edge } from './edge.ts';
import { recordCall, recordFailure, refuseCall } from './record-call.ts';
import { requestId } from './request-facts.ts';

/**
 * Serves a request of a dialect: finds what it asks for, then credential, limit of rates, evidence, body and operation, in this order,
 * and leaves its line in the log and its mark in the metrics, whatever becomes of it. Never throws or rejects, and answers without
 * a promise when nothing had to be waited for.
 */
export function serveCall<Target extends CallTarget>(
  edge: Edge,
  incoming: IncomingMessage,
  dialect: Dialect<Target>,
): MaybePromise<Answer> {
  const id = requestId(incoming.headers['x-request-id']);
  let target: Target | Answer;
  try {
    target = dialect.targetOf(incoming);
  } catch (error) {
    return refuseCall(edge, dialect, { requestId: id, incoming }, error);
  }
  return 'kind' in target ? serveTarget(new Call(edge, dialect, incoming, id, target), dialect, incoming) : target;
}

/** Serves a call whose target is known, with its body, or with the request that it is still to be read from. */
export function serveTarget<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body: BodyRead | IncomingMessage,
): MaybePromise<Answer> {
  try {
    const answer = authenticateCall(call, dialect, body);
    if (answer instanceof Promise)
      return answer.then(
        (later) => {
          recordCall(call, later);
          return later;
        },
        (error: unknown) => recordFailure(call, dialect, error),
      );
    recordCall(call, answer);
    return answer;
  } catch (error) {
    return recordFailure(call, dialect, error);
  }
}

function authenticateCall<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body: BodyRead | IncomingMessage,
): MaybePromise<Answer> {
  const { edge, incoming, target } = call;
  if (target.kind.isOpen) return performCall(call, dialect, body);
  for (const part of edge.readiness) part.requireServing();
  const presented = dialect.presented(incoming, certificateOf(incoming.socket));
  const { withBody } = presented;
  if (withBody === undefined) return authenticateBy(call, dialect, body, presented);
  return andThen(wholeBody(call, body), (bytes) => authenticateBy(call, dialect, bytes, withBody(bytes)));
}

function wholeBody(call: Call, body: BodyRead | IncomingMessage): MaybePromise<Buffer> {
  if (Buffer.isBuffer(body)) return body;
  if ('error' in body) throw body.error;
  return readCallBody(call, body);
}

function authenticateBy<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body: BodyRead | IncomingMessage,
  presented: Presented,
): MaybePromise<Answer> {
  const identity = authenticate(call, presented);
  return identity instanceof Promise
    ? identity.then((late) => admitCall(call, dialect, body, { identity: late, presented }))
    : admitCall(call, dialect, body, { identity, presented });
}

/** It is known who calls: takes what the call costs from the limit of the caller, where there are limits, and begins the evidence. */
function admitCall<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body: BodyRead | IncomingMessage,
  signedIn: SignedIn,
): MaybePromise<Answer> {
  call.signedIn = signedIn;
  const { rateLimiter, trail } = call.edge;
  const perform = trail === undefined ? performCall : performWithEvidence;
  // A limit is in the identity or holds for all: where neither is so, a call takes no further step for it.
  const { rate = null, tenantLimits } = signedIn.identity;
  call.isLimited = rateLimiter !== undefined && (rateLimiter.limitsAll || rate !== null || tenantLimits !== undefined);
  const paid = call.isLimited ? call.pay() : undefined;
  // Nothing is to be waited for or left behind: nearly every call where no evidence is kept.
  if (paid === undefined && trail === undefined && Buffer.isBuffer(body)) return dialect.perform(call, body);
  return paid instanceof Promise ? paid.then(() => perform(call, dialect, body)) : perform(call, dialect, body);
}

/** Evidence begins when it is known who calls, so that whatever goes wrong from here on is in it. */
function performWithEvidence<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body: BodyRead | IncomingMessage,
): MaybePromise<Answer> {
  const { edge, signedIn } = call;
  if (edge.trail !== undefined && signedIn !== undefined)
    call.evidence = beginEvidence(edge.trail, call, signedIn.identity);
  return withEvidence(call.evidence, () => performCall(call, dialect, body));
}

function performCall<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body: BodyRead | IncomingMessage,
): MaybePromise<Answer> {
  if (Buffer.isBuffer(body)) return dialect.perform(call, body);
  if ('error' in body) throw body.error;
  const recheck = call.recheck();
  return andThen(readCallBody(call, body), (bytes) => andThen(recheck?.(), () => dialect.perform(call, bytes)));
}
