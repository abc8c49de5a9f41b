import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS } from '@qnsp/http-edge/testing';
import { KeyRing } from '@qnsp/kms-core/internal';
import { MapCache } from '@qnsp/kms-core/testing';
import { openBatch, ROUTES } from '@qnsp/kms-contract';
import { PERMISSIONS, resolveAlgorithm } from '@qnsp/kms-core';
import { createKey, newId, rotateKey, suspendKey } from '@qnsp/kms-core/internal';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { togetherOf } from '../src/handlers/handlers.ts';
import { readPiece } from '../src/serve-together.ts';
import { qnsp } from './dialects.ts';

let under: Awaited<ReturnType<typeof edgeUnderTest>>;
let http: ReturnType<typeof makeHttpServer>;
/** Keys: two for the default algorithm, of which one was rotated, one whose work is done one by one, one that may not be used. */
let keys: { readonly first: string; readonly second: string; readonly alone: string; readonly suspended: string };

beforeAll(async () => {
  under = await edgeUnderTest();
  const { store } = under;
  const { hierarchy } = under.edge.kms;
  // As in production without evidence: keys are held in memory.
  const keyRing = new KeyRing(store, hierarchy, { feed: store.changes, memory: new MapCache() });
  const kms = { ...under.edge.kms, keyRing };
  const { trail: _, ...edge } = { ...under.edge, kms };
  http = makeHttpServer(edge, [qnsp.dialect], { ...HTTP_LIMITS, maxAnswerBytes: 16 * 1024 * 1024 });
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
  const caller = {
    tenantId: under.tenantId,
    subject: 'setup',
    permissions: new Set(PERMISSIONS),
    attributes: { ip: null, mfa: false },
  };
  const op = { kms, caller };
  const [second, alone, suspended] = [
    await createKey(op, {}),
    await createKey(op, { algorithm: resolveAlgorithm('chacha20-poly1305') }),
    await createKey(op, {}),
  ];
  await rotateKey(op, { keyId: second.keyId });
  await suspendKey(op, { keyId: suspended.keyId });
  keys = { first: under.keyId, second: second.keyId, alone: alone.keyId, suspended: suspended.keyId };
  for (const keyId of Object.values(keys)) await keyRing.load(under.tenantId, keyId);
});
afterAll(() => http.stop());

type Json = Readonly<Record<string, unknown>>;

async function post(operation: string, body: Json): Promise<{ readonly status: number; readonly answer: Json }> {
  const { port } = http.server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/kms/v1/${operation}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...qnsp.credential(under.token) },
    body: JSON.stringify(body),
  });
  return { status: response.status, answer: (await response.json()) as Json };
}

/** The answers of a batch, and of each of its items by itself. */
async function bothWays(operation: string, items: readonly Json[]) {
  const { status, answer } = await post(operation, { items });
  expect(status).toBe(200);
  const alone: Json[] = [];
  for (const item of items) alone.push((await post(operation, item)).answer);
  return { together: answer['items'] as readonly Json[], alone };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Items that are right, each in its own way. */
const good: readonly (() => Json)[] = [
  () => ({ keyId: keys.first, plaintext: base64('a') }),
  () => ({ keyId: keys.second, plaintext: base64('b'), context: { order: '42' } }),
  () => ({ keyId: keys.first, plaintext: base64('c'), context: { order: '43' } }),
  () => ({ keyId: keys.alone, plaintext: base64('d') }),
  () => ({ keyId: keys.first, plaintextB64: base64('e') }),
  () => ({ keyId: keys.second, plaintext: '', tenantId: under.tenantId }),
];
/** Items that fail, each in its own way. */
const bad: readonly (() => Json)[] = [
  () => ({ keyId: keys.suspended, plaintext: base64('x') }),
  () => ({ keyId: newId(), plaintext: base64('x') }),
  () => ({ keyId: keys.first, plaintext: '!' }),
  () => ({ keyId: keys.first, plaintextB64: 7 }),
  () => ({ keyId: keys.first, plaintext: base64('x'.repeat(65_537)) }),
  () => ({ plaintext: base64('x') }),
  () => ({ keyId: keys.first, plaintext: base64('x'), tenantId: under.otherTenantId }),
];

/** What does not differ from one encryption to the next. */
const lasting = ({ ciphertext, ciphertextB64, ...rest }: Json) => ({
  ...rest,
  ciphertext: typeof ciphertext,
  ciphertextB64: typeof ciphertextB64,
});
/** The problem of an item, or of a call. */
const problemOf = (answer: Json) => {
  const { error } = answer;
  const problem = typeof error === 'object' ? (error as Json) : answer;
  const message = String(problem['message']).replace(/^The request/, 'The item');
  return { code: problem['code'], message, details: problem['details'] };
};

describe('the items of a batch are answered as each is alone, in their order', () => {
  const mixed = (length: number): Json[] =>
    Array.from({ length }, (_, index) => {
      const from = index % 3 === 1 ? bad : good;
      return from[index % from.length]?.() ?? {};
    });

  test.each([1, 2, 100])('%i encryptions, with failing ones in between', async (length) => {
    const { together, alone } = await bothWays('encrypt', mixed(length));
    expect(together).toHaveLength(length);
    for (const [index, answer] of together.entries()) {
      if (index % 3 === 1) expect(problemOf(answer), String(index)).toEqual(problemOf(alone[index] ?? {}));
      else expect(lasting(answer), String(index)).toEqual(lasting(alone[index] ?? {}));
    }
  });

  test('decryptions, with failing ones in between', async () => {
    const { answer } = await post('encrypt', { items: Array.from({ length: 90 }, (_, index) => good[index % 6]?.()) });
    const contexts = [undefined, { order: '42' }, { order: '43' }, undefined, undefined, undefined];
    const items = (answer['items'] as readonly Json[]).map(({ ciphertext }, index): Json => {
      const context = contexts[index % 6];
      const text = String(ciphertext);
      if (index % 5 === 2) return { ciphertext: `A${text.slice(1)}`, ...(context && { context }) };
      if (index % 7 === 3) return { ciphertextBase64: text, context: { not: 'its own' } };
      if (index % 11 === 4) return { ciphertext: text, keyId: keys.suspended };
      return { ciphertext: text, ...(context && { context }) };
    });
    const { together, alone } = await bothWays('decrypt', items);
    for (const [index, one] of together.entries()) {
      if ('error' in one) expect(problemOf(one), String(index)).toEqual(problemOf(alone[index] ?? {}));
      else expect(one, String(index)).toEqual(alone[index]);
    }
    expect(together.some((one) => 'error' in one)).toBe(true);
    expect(together.some((one) => 'plaintext' in one)).toBe(true);
  });

  test('a thousand, each with its own plaintext', async () => {
    const plaintexts = Array.from({ length: 1000 }, (_, index) => base64(`number ${index}`));
    const sealed = await post('encrypt', { items: plaintexts.map((plaintext) => ({ keyId: keys.first, plaintext })) });
    const ciphertexts = (sealed.answer['items'] as readonly Json[]).map(({ ciphertext }) => ciphertext);
    const opened = await post('decrypt', { items: ciphertexts.map((ciphertext) => ({ ciphertext })) });
    expect((opened.answer['items'] as readonly Json[]).map(({ plaintext }) => plaintext)).toEqual(plaintexts);
  });

  test('none are refused as a whole', async () => {
    expect((await post('encrypt', { items: [] })).status).toBe(400);
  });
});

test('no more is done at once than is little next to a turn, however large the items are', () => {
  const together = togetherOf(ROUTES.encrypt);
  if (together === undefined) throw new Error('encryptions are done together');
  const caller = {
    tenantId: under.tenantId,
    subject: 'x',
    permissions: new Set(PERMISSIONS),
    attributes: { ip: null, mfa: false },
  };
  const pieceOf = (bytes: number) => {
    const items = Array.from({ length: 100 }, () => ({
      keyId: keys.first,
      plaintext: Buffer.alloc(bytes).toString('base64'),
    }));
    return readPiece(openBatch(ROUTES.encrypt, { body: { items } }), 0, together, caller).items.length;
  };
  expect([0, 1, 32, 1024, 4096, 32_768, 65_536].map(pieceOf)).toEqual([32, 32, 32, 32, 8, 1, 1]);
});
