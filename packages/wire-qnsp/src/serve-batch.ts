import { setImmediate } from 'node:timers/promises';
import { type Call, failureOf } from '@qnsp/http-edge';
import { encodeAnswer, itemProblem, parseBatch, type RawRequest } from '@qnsp/kms-contract';
import { KmsError } from '@qnsp/kms-core';
import { describeRequest, type OperationEvidence, withEvidence } from '@qnsp/kms-core/internal';
import { andThen, type MaybePromise } from '@qnsp/kms-core/ports';
import { namingAsSent } from './naming-as-sent.ts';
import type { QnspTarget } from './qnsp-target.ts';
import type { ServiceFacts } from './handlers/service-facts.ts';
import { requireSameTenant } from './tenant.ts';

/** How many items of one batch are waited for at a time, so that one batch does not take the whole thread pool. */
const ITEMS_AT_ONCE = 8;
/** How long a batch works without a pause. Then everybody else has a turn. */
const TURN_MS = 4;

type Item = ReturnType<typeof parseBatch>[number];

/** Serves the items of a batch. Each answers for itself; an item that fails is only its own failure. */
export async function serveBatch(facts: ServiceFacts, call: Call<QnspTarget>, raw: RawRequest): Promise<unknown> {
  const { edge, incoming, requestId, target, evidence } = call;
  const { route, handler } = target.kind;
  const items = parseBatch(route, raw);
  const requireValid = call.recheck();
  // The first item was paid for with the call.
  const paid = call.payFor(items.length);
  if (paid instanceof Promise) await paid;
  evidence?.comesInItems();
  const answers: unknown[] = Array(items.length);
  const queue = items.entries();
  let turnEndsAt = performance.now() + TURN_MS;
  let pause: Promise<void> | undefined;
  /** All that work on the batch wait for the same turn, and share it. */
  const rest = () => {
    pause ??= setImmediate().then(() => {
      pause = undefined;
      turnEndsAt = performance.now() + TURN_MS;
    });
    return pause;
  };

  const serveItem = (item: Item, left: OperationEvidence | undefined): MaybePromise<unknown> => {
    if ('error' in item) throw item.error;
    // Not once for all items: what the credential may do can change while they are served.
    const { caller } = call;
    if (caller !== undefined) requireSameTenant(caller, item.body);
    const request = { params: {}, query: {}, ...item };
    if (left !== undefined) describeRequest(left, request);
    const operation = { facts, op: { kms: edge.kms, caller, evidence: left }, request };
    const done =
      item.sentNames === undefined ? handler(operation) : namingAsSent(item.sentNames, () => handler(operation));
    return andThen(done, (result) => encodeAnswer(route, result, item.naming));
  };
  const failed = (error: unknown) => {
    // One item that fails is that item's answer, even when the service is at fault; the log says why.
    if (!KmsError.is(error) || error.code === 'INTERNAL_ERROR')
      edge.logs.log.error({ requestId, err: error }, 'batch item failed');
    return { error: itemProblem(failureOf(error)) };
  };
  const work = async () => {
    for (const [index, item] of queue) {
      while (performance.now() >= turnEndsAt) await rest();
      // Nobody waits for the rest of a batch whose client went away.
      if (incoming.socket.destroyed) return;
      try {
        const left = evidence?.item();
        // Within the evidence of the item: that a credential ended in the middle of a batch is to be seen in it.
        const serve = () => andThen(requireValid?.(), () => serveItem(item, left));
        const answer = left === undefined ? serve() : withEvidence(left, serve);
        answers[index] = answer instanceof Promise ? await answer : answer;
      } catch (error) {
        answers[index] = failed(error);
      }
    }
  };
  await Promise.all(Array.from({ length: ITEMS_AT_ONCE }, work));
  return { items: answers };
}
