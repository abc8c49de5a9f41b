import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SignatureVerifier } from '../src/index.ts';
import { accessKey, reasonAgainst, type Received } from './requests.ts';
import { SENT, signed } from './signed-requests.ts';

const verifier = new SignatureVerifier({
  region: 'us-east-1',
  services: ['kms'],
  clock: () => Date.parse('2026-01-31T12:00:00Z'),
});
const key = accessKey();

function changedAt(text: string, at: number, by: number): string {
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ by) + text.slice(at + 1);
}

/** Names of headers have no case, and any blanks within what they say are one. */
function saysTheSame(index: number, changed: string, text: string): boolean {
  if (index % 2 === 0) return changed.toLowerCase() === text.toLowerCase();
  const isAuthorization = text.startsWith('AWS4-');
  return !isAuthorization && changed.replaceAll(/[\t-\r ]+/g, ' ') === text.replaceAll(/ +/g, ' ');
}

/** The request with each of its bytes changed, where that says something else. */
function* changedRequests({ head, body }: Received, by: number): Generator<readonly [string, Received]> {
  for (let at = 0; at < head.method.length; at += 1)
    yield [`method ${at}`, { head: { ...head, method: changedAt(head.method, at, by) }, body }];
  for (let at = 0; at < head.target.length; at += 1)
    yield [`target ${at}`, { head: { ...head, target: changedAt(head.target, at, by) }, body }];
  for (const [index, text] of head.rawHeaders.entries())
    for (let at = 0; at < text.length; at += 1) {
      const changed = changedAt(text, at, by);
      if (saysTheSame(index, changed, text)) continue;
      yield [`header ${index} ${at}`, { head: { ...head, rawHeaders: head.rawHeaders.with(index, changed) }, body }];
    }
  for (let at = 0; at < body.length; at += 1) {
    const changed = Buffer.from(body);
    changed[at] = (changed[at] ?? 0) ^ by;
    yield [`body ${at}`, { head, body: changed }];
  }
}

test('a byte that is changed anywhere in a signed request has it refused, in 200 requests', () => {
  let changes = 0;
  fc.assert(
    fc.property(SENT, fc.integer({ min: 1, max: 255 }), (sent, by) => {
      const request = signed(sent);
      expect(reasonAgainst(verifier, request, key)).toBeUndefined();
      const taken: string[] = [];
      for (const [where, changed] of changedRequests(request, by)) {
        changes += 1;
        if (reasonAgainst(verifier, changed, key) === undefined) taken.push(where);
      }
      expect(taken).toEqual([]);
    }),
    { numRuns: 200 },
  );
  expect(changes).toBeGreaterThan(200 * 400);
});
