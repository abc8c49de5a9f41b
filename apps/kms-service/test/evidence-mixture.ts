import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditEvent } from '@qnsp/kms-core';
import { expect } from 'vitest';
import { type Answer, send } from './local-service.ts';

const PLAINTEXT = 'AAAA';
const ITEMS = 3;

/** A call beside the load, and what came of it: nothing when the service was not there. */
export interface MixedCall {
  readonly kind: 'denied' | 'change' | 'batch';
  readonly requestId: string;
  readonly answer: Answer | undefined;
}

export interface MixtureOptions {
  readonly baseUrl: string;
  readonly token: string;
  /** A token that may not encrypt. */
  readonly powerless: string;
}

/** Makes denied calls, changes of a key and small batches, one after another, until it is stopped. */
export function startMixture({ baseUrl, token, powerless }: MixtureOptions): { stop(): Promise<MixedCall[]> } {
  const calls: MixedCall[] = [];
  let stopped = false;
  const work = async () => {
    const made = await send(`${baseUrl}/kms/v1/keys`, 'POST', token, {});
    const key = `/kms/v1/keys/${String(made.body['keyId'])}`;
    const changing = await send(`${baseUrl}/kms/v1/keys`, 'POST', token, {});
    const other = `/kms/v1/keys/${String(changing.body['keyId'])}`;
    for (let turn = 0; !stopped; turn += 1) {
      const call = async (kind: MixedCall['kind'], credential: string, path: string, body: object) => {
        const requestId = `mix-${kind}-${turn}`;
        const headers = { 'x-request-id': requestId };
        const answer = await send(`${baseUrl}${path}`, 'POST', credential, body, headers).catch(() => undefined);
        calls.push({ kind, requestId, answer });
      };
      await call('denied', powerless, `${key}/encrypt`, { plaintext: PLAINTEXT });
      await call('change', token, `${other}/${turn % 2 === 0 ? 'suspend' : 'resume'}`, {});
      await call('batch', token, `${key}/encrypt`, {
        items: Array.from({ length: ITEMS }, () => ({ plaintext: PLAINTEXT })),
      });
      await sleep(50);
    }
  };
  const working = work();
  return {
    stop: async () => {
      stopped = true;
      await working;
      return calls;
    },
  };
}

/** Whether a call was answered by what it is about: then its evidence is there. */
export function isAnswered({ kind, answer }: MixedCall): boolean {
  if (answer === undefined || answer.status === 503) return false;
  return kind !== 'batch' || doneIn(answer) > 0;
}

function doneIn({ body }: Answer): number {
  const items = body['items'];
  return Array.isArray(items) ? items.filter((item: object) => 'ciphertext' in item).length : 0;
}

/** Holds what was answered against what is in evidence: each once, and each item of a batch that gave a ciphertext. */
export function expectMixture(calls: readonly MixedCall[], events: readonly AuditEvent[]): void {
  const byRequest = Map.groupBy(events, ({ context }) => context.requestId);
  for (const call of calls) {
    const { kind, requestId, answer } = call;
    const left = byRequest.get(requestId) ?? [];
    expect(left.length, requestId).toBeLessThanOrEqual(kind === 'batch' ? ITEMS : 1);
    if (answer === undefined || !isAnswered(call)) continue;
    if (kind === 'batch') {
      const encrypted = left.filter(({ result }) => result === 'success').length;
      expect(encrypted, requestId).toBeGreaterThanOrEqual(doneIn(answer));
    } else {
      // A change whose answer was lost is made, so that the next one finds another state than it expects.
      const result = kind === 'denied' ? 'denied' : answer.status === 200 ? 'success' : 'failure';
      expect(left, requestId).toMatchObject([{ result }]);
    }
  }
  for (const kind of ['denied', 'change', 'batch'])
    expect(calls.filter((call) => call.kind === kind && isAnswered(call)).length, kind).toBeGreaterThan(0);
}
