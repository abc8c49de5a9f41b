import { randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEnvelope, type DataKeyService, type Envelope } from '../src/envelope/index.ts';
import { createKmsClient, type KmsClient } from '../src/index.ts';
import { createFileEnvelope } from '../src/node/index.ts';
import { failureOf } from './failure-of.ts';
import { type StartedService, startedService } from './started-service.ts';

/** What the first segment holds: 1 MiB without the header of the stream and the tag. */
const FIRST = 2 ** 20 - 40 - 16;
const NEXT = 2 ** 20 - 16;
const FIXED = 59;
let service: StartedService;
let kms: KmsClient;
let keyId: string;

beforeAll(async () => {
  service = await startedService();
  kms = createKmsClient({ baseUrl: service.baseUrl, token: service.token });
  ({ keyId } = await kms.createKey({ name: 'envelopes' }));
});
afterAll(async () => {
  await service.end();
});

/** Sends data through a stream in chunks of the given sizes, the last one again and again. */
async function pipe(
  data: Uint8Array,
  sizes: readonly number[],
  through: TransformStream<Uint8Array, Uint8Array>,
): Promise<Buffer> {
  let at = 0;
  let turn = 0;
  const source = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= data.length) return controller.close();
      const size = sizes[Math.min(turn, sizes.length - 1)] ?? data.length;
      controller.enqueue(data.subarray(at, at + size));
      at += size;
      turn += 1;
    },
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of source.pipeThrough(through)) pieces.push(piece);
  return Buffer.concat(pieces);
}

const platforms: readonly (readonly [string, (kms: DataKeyService) => Envelope])[] = [
  ['WebCrypto', (of) => createEnvelope(of)],
  ['node:crypto', (of) => createFileEnvelope(of)],
];

describe.each(platforms)('an envelope by %s', (_, make) => {
  const other = () => (make === platforms[0]?.[1] ? createFileEnvelope(kms) : createEnvelope(kms));

  test.each([0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + NEXT, FIRST + NEXT + 1])(
    'of %i bytes opens to the same bytes, by either implementation',
    async (length) => {
      const plaintext = randomBytes(length);
      const sealed = await make(kms).encrypt(plaintext, { keyId, context: { a: 'b' } });
      const segments = length <= FIRST ? 1 : 1 + Math.ceil((length - FIRST) / NEXT);
      const wrapped = Buffer.from(sealed).readUInt16BE(57);
      expect(sealed.length).toBe(FIXED + wrapped + 40 + length + segments * 16);
      for (const envelope of [make(kms), other()])
        expect(Buffer.compare(await envelope.decrypt(sealed, { context: { a: 'b' } }), plaintext)).toBe(0);
    },
  );

  test('does not depend on how a stream is cut', async () => {
    const envelope = make(kms);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: FIRST + NEXT + 7 }),
        fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 5 }),
        async (length, cuts, otherCuts) => {
          const plaintext = randomBytes(length);
          // Many small chunks at first, then what is left of megabytes in larger ones.
          const sealed = await pipe(plaintext, [...cuts, 50_000], envelope.encryptStream({ keyId }));
          const opened = await pipe(sealed, [1, 30, 40, ...otherCuts, 50_000], envelope.decryptStream());
          expect(Buffer.compare(opened, plaintext)).toBe(0);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('opens with the same context only, in any order', async () => {
    const envelope = make(kms);
    const sealed = await envelope.encrypt(randomBytes(10), {
      keyId,
      context: { b: '2', ä: '1', '\u{1F600}': 'x', '\uFFFD': 'y' },
    });
    expect(
      await envelope.decrypt(sealed, { context: { '\uFFFD': 'y', '\u{1F600}': 'x', ä: '1', b: '2' } }),
    ).toHaveLength(10);
    for (const context of [{}, undefined, { b: '2' }, { b: '2', ä: '1', '\u{1F600}': 'x', '\uFFFD': 'z' }])
      expect(await failureOf(envelope.decrypt(sealed, { context }))).toMatchObject({
        code: 'ENVELOPE_CONTEXT_MISMATCH',
      });
  });

  test('opens under the key that it must be under only', async () => {
    const envelope = make(kms);
    const sealed = await envelope.encrypt(randomBytes(10), { keyId });
    expect(await envelope.decrypt(sealed, { keyId: keyId.toUpperCase() })).toHaveLength(10);
    const { keyId: another } = await kms.createKey({});
    expect(await failureOf(envelope.decrypt(sealed, { keyId: another }))).toMatchObject({
      code: 'ENVELOPE_KEY_MISMATCH',
    });
  });

  test('does not open when any byte of its header is changed', { timeout: 600_000 }, async () => {
    const envelope = make(kms);
    const sealed = await envelope.encrypt(Buffer.from('hello'), { keyId, context: { a: 'b' } });
    const codes = new Set<string>();
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = sealed.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      const { code } = await failureOf(envelope.decrypt(changed, { context: { a: 'b' } }));
      codes.add(code);
      if (at < 7) expect(code).toBe('ENVELOPE_INVALID');
      else if (at < 9) expect(code).toBe('ENVELOPE_UNSUPPORTED');
      else if (at < 25) expect(['NOT_FOUND', 'DECRYPT_FAILED']).toContain(code);
      else if (at < 57) expect(code).toBe('ENVELOPE_CONTEXT_MISMATCH');
    }
    expect(codes).toContain('ENVELOPE_MODIFIED');
  });

  test('does not open when its end is missing, wherever it was cut', { timeout: 600_000 }, async () => {
    const envelope = make(kms);
    const sealed = await envelope.encrypt(Buffer.from('hello'), { keyId });
    for (let length = 0; length < sealed.length; length += 1) {
      const { code } = await failureOf(envelope.decrypt(sealed.slice(0, length)));
      if (length === 0) expect(code).toBe('ENVELOPE_INVALID');
      else if (length < sealed.length - 5 - 16) expect(code).toBe('ENVELOPE_TRUNCATED');
      else expect(code).toBe('ENVELOPE_MODIFIED');
    }
  });

  test('does not open when its segments are changed, left out, repeated, moved, or others are appended', async () => {
    const envelope = make(kms);
    const options = { keyId };
    const [one, two] = [
      await envelope.encrypt(randomBytes(FIRST + NEXT + 9), options),
      await envelope.encrypt(randomBytes(FIRST + NEXT + 9), options),
    ];
    const start = one.length - (2 ** 20 - 40) - 2 ** 20 - (9 + 16);
    const parts = (data: Uint8Array) => {
      const bounds = [0, start, start + 2 ** 20 - 40, start + 2 ** 21 - 40, data.length];
      return bounds.slice(1).map((end, index) => data.subarray(bounds[index], end)) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
    };
    const [head, first, second, last] = parts(one);
    const [otherHead, otherFirst, otherSecond, otherLast] = parts(two);
    const open = (...pieces: Uint8Array[]) => envelope.decrypt(Buffer.concat(pieces));
    expect(await open(head, first, second, last)).toHaveLength(FIRST + NEXT + 9);
    // Cut at a segment: what is there is authentic, and still not the end.
    expect(await failureOf(open(head, first, second))).toMatchObject({ code: 'ENVELOPE_TRUNCATED' });
    expect(await failureOf(open(head, first))).toMatchObject({ code: 'ENVELOPE_TRUNCATED' });
    const changes = [
      [head, second, first, last],
      [head, first, last],
      [head, first, second.subarray(0, -1), last],
      [head, first, second, second, last],
      [head, first, second, last, last],
      [head, first, second, last, Uint8Array.of(0)],
      [head, first, second, otherLast],
      [head, first, otherSecond, last],
      [head, otherFirst, second, last],
      [otherHead, first, second, last],
      [head, first, second, last.subarray(0, -1)],
      [head, first, second, last.subarray(0, 16)],
    ];
    for (const pieces of changes) expect(await failureOf(open(...pieces))).toMatchObject({ code: 'ENVELOPE_MODIFIED' });
    for (const segment of [first, second, last]) {
      for (const at of [0, 17, segment.length - 1]) {
        const copy = one.slice();
        const place = segment.byteOffset - one.byteOffset + at;
        copy[place] = (copy[place] ?? 0) ^ 128;
        expect(await failureOf(envelope.decrypt(copy))).toMatchObject({ code: 'ENVELOPE_MODIFIED' });
      }
    }
  });
});

describe('an envelope', () => {
  test('is under a post-quantum key when the key is one', async () => {
    const { keyId: kem } = await kms.createKey({ algorithm: 'ML-KEM-768' });
    const sealed = await createEnvelope(kms).encrypt(Buffer.from('hello'), { keyId: kem });
    expect(sealed.length).toBeGreaterThan(FIXED + 1088);
    expect(Buffer.from(await createEnvelope(kms).decrypt(sealed)).toString()).toBe('hello');
  });

  test('still opens after its key was rotated, and not after it was revoked', async () => {
    const { keyId: rotating } = await kms.createKey({});
    const envelope = createEnvelope(kms);
    const sealed = await envelope.encrypt(Buffer.from('hello'), { keyId: rotating });
    await kms.rotateKey({ keyId: rotating });
    expect(await envelope.decrypt(sealed)).toHaveLength(5);
    await kms.revokeKey({ keyId: rotating, reason: 'end_of_life' });
    expect(await failureOf(envelope.decrypt(sealed))).toMatchObject({ code: 'KEY_STATE_INVALID' });
  });

  test('of another tenant is under a key that does not exist', async () => {
    const stranger = await startedService();
    try {
      const theirs = createKmsClient({ baseUrl: stranger.baseUrl, token: stranger.token });
      const sealed = await createEnvelope(kms).encrypt(Buffer.from('hello'), { keyId });
      expect(await failureOf(createEnvelope(theirs).decrypt(sealed))).toMatchObject({ code: 'NOT_FOUND' });
    } finally {
      await stranger.end();
    }
  });

  test('stream reads no faster than it is read', async () => {
    let given = 0;
    const source = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          given += 1;
          controller.enqueue(new Uint8Array(2 ** 20));
        },
      },
      { highWaterMark: 0 },
    );
    const reader = source.pipeThrough(createEnvelope(kms).encryptStream({ keyId })).getReader();
    for (let count = 0; count < 5; count += 1) await reader.read();
    // Time for it to read on, if it did.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(given).toBeLessThan(9);
    await reader.cancel();
  });

  describe.each(['encryptStream', 'decryptStream'] as const)('%s ends by its signal', (way) => {
    const stream = (signal: AbortSignal) =>
      way === 'encryptStream'
        ? createEnvelope(kms).encryptStream({ keyId, signal })
        : createEnvelope(kms).decryptStream({ signal });

    test('while no data comes, and before any does', async () => {
      const controller = new AbortController();
      let isCancelled = false;
      const silent = new ReadableStream<Uint8Array>({ cancel: () => void (isCancelled = true) });
      const read = silent.pipeThrough(stream(controller.signal)).getReader().read();
      controller.abort(new Error('enough'));
      await expect(read).rejects.toThrow('enough');
      await expect.poll(() => isCancelled).toBe(true);
      const late = stream(AbortSignal.abort(new Error('before')));
      await expect(late.readable.getReader().read()).rejects.toThrow('before');
    });

    test('while nobody reads', async () => {
      const controller = new AbortController();
      const writer = stream(controller.signal).writable.getWriter();
      const write = writer.write(new Uint8Array(10));
      controller.abort(new Error('enough'));
      await expect(write).rejects.toThrow('enough');
      await expect(writer.closed).rejects.toThrow('enough');
    });

    test('and leaves nothing at a signal that lives on', async () => {
      const { signal } = new AbortController();
      const envelope = createEnvelope(kms);
      await envelope.decrypt(await envelope.encrypt(randomBytes(10), { keyId, signal }), { signal });
      expect(await failureOf(envelope.decrypt(randomBytes(100), { signal }))).toMatchObject({
        code: 'ENVELOPE_INVALID',
      });
      await stream(signal).readable.cancel();
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    });
  });

  test('refuses text, and options that it does not know', async () => {
    const envelope = createEnvelope(kms);
    const text = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue('text' as never) });
    const reader = text.pipeThrough(envelope.encryptStream({ keyId })).getReader();
    expect(await failureOf(reader.read())).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await failureOf(envelope.encrypt(new Uint8Array(), { keyId, contexts: {} } as never))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    expect(await failureOf(envelope.encrypt(new Uint8Array(), { keyId, context: { a: '\ud800' } }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});
