import { setImmediate } from 'node:timers/promises';
import { encodeAnswer, itemProblem, parseBatch, type RawRequest, type Route } from '@qnsp/kms-contract';
import {
  andThen,
  type Caller,
  KmsError,
  type MaybePromise,
  type OperationEvidence,
  withEvidence,
} from '@qnsp/kms-core';
import { describeRequest } from './begin-evidence.ts';
import { handlerOf } from './handlers/handlers.ts';
import { namingAsSent } from './naming-as-sent.ts';
import { failureOf } from './problem-answer.ts';
import type { QnspParts } from './handlers/service-facts.ts';
import { requireSameTenant } from './tenant.ts';

/** How many items of one batch are waited for at a time, so that one batch does not take the whole thread pool. */
const ITEMS_AT_ONCE = 8;
/** How long a batch works without a pause. Then everybody else has a turn. */
const TURN_MS = 4;

export interface BatchCall {
  readonly requestId: string;
  readonly evidence: OperationEvidence | undefined;
  /** Throws if the credential is no longer valid. */
  readonly requireValid: (() => MaybePromise<void>) | undefined;
  readonly isGone: () => boolean;
}

type Item = ReturnType<typeof parseBatch>[number];

/** Serves the items of a batch. Each answers for itself; an item that fails is only its own failure. */
export async function serveBatch(
  { edge, facts }: QnspParts,
  route: Route,
  raw: RawRequest,
  caller: Caller | undefined,
  { requestId, evidence, requireValid, isGone }: BatchCall,
): Promise<unknown> {
  const handler = handlerOf(route);
  const items = parseBatch(route, raw);
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
    if (caller !== undefined) requireSameTenant(caller, item.body);
    const request = { params: {}, query: {}, ...item };
    if (left !== undefined) describeRequest(left, request);
    const call = { facts, op: { kms: edge.kms, caller, evidence: left }, request };
    const done = item.sentNames === undefined ? handler(call) : namingAsSent(item.sentNames, () => handler(call));
    return andThen(done, (result) => encodeAnswer(route, result, item.dialect));
  };
  const failed = (error: unknown) => {
    // One item that fails is that item's answer, even when the service is at fault; the log says why.
    if (!(error instanceof KmsError) || error.code === 'INTERNAL_ERROR')
      edge.logs.log.error({ requestId, err: error }, 'batch item failed');
    return { error: itemProblem(failureOf(error)) };
  };
  const work = async () => {
    for (const [index, item] of queue) {
      while (performance.now() >= turnEndsAt) await rest();
      // Nobody waits for the rest of a batch whose client went away.
      if (isGone()) return;
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
