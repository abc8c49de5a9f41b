import { type Call, failureOf } from '@qnsp/http-edge';
import { encodeAnswerText, itemProblem, openBatch, type RawRequest } from '@qnsp/kms-contract';
import { KmsError, SYSTEM_TENANT } from '@qnsp/kms-core';
import { describeRequest, type OperationEvidence, Turns, withEvidence } from '@qnsp/kms-core/internal';
import { andThen, type MaybePromise } from '@qnsp/kms-core/ports';
import { namingAsSent } from './naming-as-sent.ts';
import type { QnspTarget } from './qnsp-target.ts';
import type { OfferedFacts } from './handlers/service-facts.ts';
import { type Service, serveTogether } from './serve-together.ts';
import { requireSameTenant } from './tenant.ts';

/**
 * How many items of one batch are waited for at a time. Slow ones are jobs of their own, and so wait for their turn as if each had come
 * alone.
 */
const ITEMS_AT_ONCE = 8;

type Item = ReturnType<ReturnType<typeof openBatch>['item']>;

/**
 * Serves the items of a batch. Each answers for itself; an item that fails is only its own failure.
 *
 * @returns the text of the answer
 */
export async function serveBatch(facts: OfferedFacts, call: Call<QnspTarget>, raw: RawRequest): Promise<string> {
  const { edge, incoming, requestId, target, evidence } = call;
  const { route, handler, together } = target.kind;
  const batch = openBatch(route, raw);
  const requireValid = call.recheck();
  const bill = call.bill(batch.length);
  const paid = bill?.payForItems();
  if (paid instanceof Promise) await paid;
  evidence?.comesInItems();
  const answers = Array.from({ length: batch.length }, () => '');
  const turns = new Turns(call.caller?.tenantId ?? SYSTEM_TENANT);
  let pause: Promise<void> | undefined;
  /** All that work on the batch wait for the same turn, and share it; nothing to wait for while it lasts. */
  const rest = () => {
    pause ??= turns.pause()?.then(() => {
      pause = undefined;
    });
    return pause;
  };

  const serveItem = (item: Item, left: OperationEvidence | undefined): MaybePromise<string> => {
    if ('error' in item) throw item.error;
    // Not once for all items: what the credential may do can change while they are served.
    const { caller } = call;
    if (caller !== undefined) requireSameTenant(caller, item.body);
    const request = { params: {}, query: {}, ...item };
    if (left !== undefined) describeRequest(left, request);
    const op = { kms: edge.kms, caller, evidence: left, pay: bill?.payer(), client: call };
    const operation = { facts, op, request };
    const done =
      item.sentNames === undefined ? handler(operation) : namingAsSent(item.sentNames, () => handler(operation));
    return andThen(done, (result) => encodeAnswerText(route, result, item.naming));
  };
  let isAnyServed = false;
  /** Why nothing more of the batch is done, where that is so. */
  const refusals: KmsError[] = [];
  const failed = (error: unknown) => {
    // Before anything is done the batch is refused as a whole, and the client comes again with it.
    if (!isAnyServed && KmsError.is(error) && error.code === 'TOO_MANY_REQUESTS') refusals.push(error);
    // One item that fails is that item's answer, even when the service is at fault; the log says why.
    if (!KmsError.is(error) || error.code === 'INTERNAL_ERROR')
      edge.logs.log.error({ requestId, err: error }, 'batch item failed');
    return JSON.stringify({ error: itemProblem(failureOf(error)) });
  };
  const settle: Service['settle'] = (index, { naming }, result) => {
    try {
      if (KmsError.is(result)) throw result;
      answers[index] = encodeAnswerText(route, result, naming);
      isAnyServed = true;
    } catch (error) {
      answers[index] = failed(error);
    }
  };
  // Evidence is of each item by itself.
  const places =
    together === undefined || evidence !== undefined
      ? answers.keys()
      : (await serveTogether(call, together, batch, { rest, requireValid, settle })).values();
  const work = async () => {
    for (;;) {
      for (let waiting = rest(); waiting !== undefined; waiting = rest()) await waiting;
      // Nobody waits for the rest of a batch whose client went away.
      if (incoming.socket.destroyed || refusals.length > 0) return;
      const { done, value: index } = places.next();
      if (done === true) return;
      try {
        // Read in its turn as well: a thousand take their time.
        const item = batch.item(index);
        const left = evidence?.item();
        // Within the evidence of the item: that a credential ended in the middle of a batch is to be seen in it.
        const serve = () => andThen(requireValid?.(), () => serveItem(item, left));
        const answer = left === undefined ? serve() : withEvidence(left, serve);
        answers[index] = answer instanceof Promise ? await answer : answer;
        isAnyServed = true;
      } catch (error) {
        answers[index] = failed(error);
      }
    }
  };
  await Promise.all(Array.from({ length: ITEMS_AT_ONCE }, work));
  const [refusal] = refusals;
  if (refusal !== undefined) throw refusal;
  return `{"items":[${joined(answers)}]}`;
}

/** With commas in between. What is only added up is copied once, when it is sent; `join` copies every part beforehand. */
function joined(answers: readonly string[]): string {
  let text = '';
  for (const [index, answer] of answers.entries()) text += index === 0 ? answer : `,${answer}`;
  return text;
}
