import type { IncomingMessage } from 'node:http';
import { andThen, type Identity, type MaybePromise, verifyCredentials, withEvidence } from '@qnsp/kms-core';
import type { Answer } from './answer.ts';
import { beginEvidence } from './begin-evidence.ts';
import { Call } from './call.ts';
import { type BodyRead, readCallBody } from './call-body.ts';
import type { CallTarget } from './call-target.ts';
import type { Dialect } from './dialect.ts';
import type { Edge } from './edge.ts';
import { recordCall, refuseCall } from './record-call.ts';
import { requestId } from './request-id.ts';

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
  return 'kind' in target ? serveTarget(new Call(edge, dialect, incoming, id, target), dialect) : target;
}

/** Serves a call whose target is known; its body may have been read already. */
export function serveTarget<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body?: BodyRead,
): MaybePromise<Answer> {
  return recordCall(call, dialect, () => authenticateCall(call, dialect, body));
}

function authenticateCall<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body: BodyRead | undefined,
): MaybePromise<Answer> {
  const { edge, incoming, target } = call;
  if (target.kind.isOpen) return performCall(call, dialect, body);
  edge.readiness.requireServing();
  const presented = dialect.presented(incoming);
  return andThen(verifyCredentials(edge.verifiers, presented), (identity) => {
    call.signedIn = { identity, presented };
    return andThen(call.pay(1), () => leaveEvidence(call, identity, () => performCall(call, dialect, body)));
  });
}

/** Evidence begins when it is known who calls, so that whatever goes wrong from here on is in it. */
function leaveEvidence(call: Call, identity: Identity, work: () => MaybePromise<Answer>): MaybePromise<Answer> {
  const { trail } = call.edge;
  const evidence = trail && beginEvidence(trail, call, identity);
  call.evidence = evidence;
  return evidence === undefined ? work() : withEvidence(evidence, work);
}

function performCall<Target extends CallTarget>(
  call: Call<Target>,
  dialect: Dialect<Target>,
  body: BodyRead | undefined,
): MaybePromise<Answer> {
  if (body !== undefined) {
    if (Buffer.isBuffer(body)) return dialect.perform(call, body);
    throw body.error;
  }
  const recheck = call.recheck();
  return andThen(readCallBody(call), (bytes) => andThen(recheck?.(), () => dialect.perform(call, bytes)));
}
