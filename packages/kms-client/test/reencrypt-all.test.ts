import { createKmsClient, type KmsClient, type ReencryptInput } from '@qnsp/kms-client';
import { afterEach, describe, expect, test } from 'vitest';
import { problem, type ScriptedServer, type Step, scriptedServer } from './scripted-server.ts';

const TOKEN = `qnsp_pqc_${'x'.repeat(43)}`;
const KEY_ID = '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091';

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.end();
  server = undefined;
});

async function clientOf(
  ...steps: readonly Step[]
): Promise<{ readonly kms: KmsClient; readonly server: ScriptedServer }> {
  server = await scriptedServer(...steps);
  const kms = createKmsClient({ baseUrl: server.baseUrl, token: TOKEN, retry: { baseDelayMs: 1, maxDelayMs: 2 } });
  return { kms, server };
}

interface Sent {
  readonly items: readonly { readonly ciphertext: string }[];
}

/** Answers each item with its own ciphertext, or with what `refuse` says of it. */
function echo(refuse: (ciphertext: string, request: number) => object | undefined = () => undefined): Step {
  let request = 0;
  return (response, { body }) => {
    request += 1;
    const items = (JSON.parse(body) as Sent).items.map(({ ciphertext }) => {
      const error = refuse(ciphertext, request);
      return error === undefined ? { ciphertext, keyId: KEY_ID, keyVersion: 2, algorithm: 'aes-256-gcm' } : { error };
    });
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ items }));
  };
}

function* numbered(count: number, taken: number[] = []): Generator<ReencryptInput> {
  for (let number = 0; number < count; number += 1) {
    taken.push(number);
    yield { ciphertext: Buffer.from(`item ${number}`) };
  }
}

async function all(results: AsyncIterable<{ readonly ok: boolean }>): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for await (const result of results) found.push(result);
  return found;
}

const textOf = (result: unknown) =>
  Buffer.from((result as { value: { ciphertext: Uint8Array } }).value.ciphertext).toString();
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('reencryptAll', () => {
  test('answers in the order of the items, in requests of some of them', async () => {
    const { kms, server: seenBy } = await clientOf(echo());
    const results = await all(kms.reencryptAll(numbered(1203)));
    expect(results.map(textOf)).toEqual(
      [...numbered(1203)].map(({ ciphertext }) => Buffer.from(ciphertext).toString()),
    );
    expect(seenBy.seen.map(({ body }) => (JSON.parse(body) as Sent).items.length)).toEqual([500, 500, 203]);
    expect(await all(kms.reencryptAll([]))).toEqual([]);
  });

  test('takes no more of the items than it answers soon, of which there may be no end', async () => {
    const { kms } = await clientOf(echo());
    const taken: number[] = [];
    let answered = 0;
    for await (const result of kms.reencryptAll(numbered(Infinity, taken))) {
      expect(textOf(result)).toBe(`item ${answered}`);
      answered += 1;
      expect(taken.length - answered).toBeLessThan(500);
      if (answered === 1700) break;
    }
  });

  test('takes fewer of large ones at a time', async () => {
    const { kms, server: seenBy } = await clientOf(echo());
    const large = Array.from({ length: 40 }, () => ({ ciphertext: new Uint8Array(64 * 1024) }));
    expect(await all(kms.reencryptAll(large))).toHaveLength(40);
    expect(seenBy.seen.map(({ body }) => (JSON.parse(body) as Sent).items.length)).toEqual([16, 16, 8]);
  });

  test('gives the error of an item in its place, and tries again what may pass', async () => {
    const refused = { statusCode: 400, code: 'DECRYPT_FAILED', message: 'It does not open.' };
    const busy = { statusCode: 429, code: 'TOO_MANY_REQUESTS', message: 'Too many.' };
    const { kms, server: seenBy } = await clientOf(
      echo((ciphertext, request) => {
        if (ciphertext === base64('item 1')) return refused;
        if (ciphertext === base64('item 3')) return busy;
        return ciphertext === base64('item 2') && request < 3 ? busy : undefined;
      }),
    );
    const results = await all(kms.reencryptAll(numbered(5)));
    expect(results.map((result) => (result as { error?: { code: string } }).error?.code ?? textOf(result))).toEqual([
      'item 0',
      'DECRYPT_FAILED',
      'item 2',
      'TOO_MANY_REQUESTS',
      'item 4',
    ]);
    // The last one is tried four times without anything else being done.
    expect(seenBy.seen.map(({ body }) => (JSON.parse(body) as Sent).items.length)).toEqual([5, 2, 2, 1, 1, 1]);
  });

  test('goes on as long as a limit of rates lets some through', async () => {
    // One item of each request, of which there are more than a call has attempts.
    const busy = { statusCode: 429, code: 'TOO_MANY_REQUESTS', message: 'Too many.', details: { retryAfter: 0 } };
    let [request, done] = [0, 0];
    const { kms } = await clientOf(
      echo((_ciphertext, present) => {
        if (present === request) return busy;
        request = present;
        done += 1;
        return undefined;
      }),
    );
    const results = await all(kms.reencryptAll(numbered(9)));
    expect(results.map(textOf)).toEqual([...numbered(9)].map(({ ciphertext }) => Buffer.from(ciphertext).toString()));
    expect(done).toBe(9);
  });

  test('waits as long as the service asks for', async () => {
    const { kms, server: seenBy } = await clientOf(problem(429, 'TOO_MANY_REQUESTS', { 'retry-after': '1' }), echo());
    expect(await all(kms.reencryptAll(numbered(3)))).toHaveLength(3);
    const [first, second] = seenBy.seen;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(990);
  });

  test('ends with the error of a request, after what was answered before', async () => {
    const { kms } = await clientOf(echo(), problem(403, 'FORBIDDEN'));
    const results: unknown[] = [];
    const work = async () => {
      for await (const result of kms.reencryptAll(numbered(700))) results.push(result);
    };
    await expect(work()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(results).toHaveLength(500);
  });
});
