import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKmsClient } from '../src/index.ts';
import { type ByteSink, type ByteSource, createFileEnvelope, type FileEnvelope } from '../src/node/index.ts';
import { failureOf } from './failure-of.ts';
import { type StartedService, startedService } from './started-service.ts';

const MIB = 2 ** 20;
/** What the first segment holds of plaintext, and every other one. */
const FIRST = MIB - 56;
const NEXT = MIB - 16;
const home = tempDir('qnsp-ends-');
let service: StartedService;
let files: FileEnvelope;
let keyId: string;

beforeAll(async () => {
  service = await startedService();
  const kms = createKmsClient({ baseUrl: service.baseUrl, token: service.token });
  ({ keyId } = await kms.createKey({}));
  files = createFileEnvelope(kms);
});
afterAll(async () => {
  await service.end();
  await home.remove();
});

/** How much a source gives of what it may give: from `atLeast` to all the room there is. */
type Generosity = (atLeast: number, room: number) => number;

const GENEROSITIES: Readonly<Record<string, Generosity>> = {
  'as little as it may': (atLeast) => atLeast,
  'as much as fits': (_atLeast, room) => room,
  'as a pipe does': (atLeast, room) => Math.min(room, Math.ceil(atLeast / 65_536) * 65_536),
};

function sourceOf(content: Uint8Array, generosity: Generosity = (_, room) => room): ByteSource {
  let at = 0;
  return {
    async read(buffer, atLeast) {
      await turn();
      const given = content.subarray(at, at + generosity(atLeast, buffer.length));
      buffer.set(given);
      at += given.length;
      return given.length;
    },
  };
}

/** Keeps copies: what it was given does not stay. */
function collector(): ByteSink & { content(): Buffer } {
  const pieces: Buffer[] = [];
  return {
    async write(data) {
      await turn();
      pieces.push(Buffer.from(data));
    },
    content: () => Buffer.concat(pieces),
  };
}

async function sealed(content: Uint8Array): Promise<Buffer> {
  const sink = collector();
  await files.encryptFile({ source: sourceOf(content), destination: sink, keyId });
  return sink.content();
}

describe.each(Object.entries(GENEROSITIES))('a source that gives %s', (_name, generosity) => {
  test.each([0, 1, FIRST - 1, FIRST, FIRST + 1, FIRST + NEXT - 1, FIRST + NEXT, FIRST + NEXT + 1, 5 * MIB + 3])(
    'is read to its end, at %i bytes',
    async (length) => {
      const content = randomBytes(length);
      const [there, back] = [collector(), collector()];
      const progress: number[] = [];
      const onProgress = (bytes: number) => void progress.push(bytes);
      await files.encryptFile({ source: sourceOf(content, generosity), destination: there, keyId, onProgress });
      expect(progress.at(-1)).toBe(length);
      expect(Buffer.compare(await files.decrypt(there.content()), content)).toBe(0);
      await files.decryptFile({ source: sourceOf(there.content(), generosity), destination: back, onProgress });
      expect(progress.at(-1)).toBe(there.content().length);
      expect(Buffer.compare(back.content(), content)).toBe(0);
    },
  );
});

test('a source and a sink go together with files', async () => {
  const content = randomBytes(2 * MIB);
  const [plain, kept] = [join(home.path, 'plain'), join(home.path, 'kept')];
  writeFileSync(plain, content);
  const sink = collector();
  await files.encryptFile({ source: plain, destination: sink, keyId });
  await files.decryptFile({ source: sourceOf(sink.content()), destination: kept });
  expect(Buffer.compare(readFileSync(kept), content)).toBe(0);
  expect(readdirSync(home.path).sort()).toEqual(['kept', 'plain']);
});

test('a segment is written as soon as one byte follows it', async () => {
  const data = await sealed(randomBytes(3 * MIB));
  const known = await files.decrypt(data);
  const header = data.length - (3 * MIB + 4 * 16);
  const sink = collector();
  let at = 0;
  const stop = new Error('stop');
  let rest: (reason: Error) => void = () => undefined;
  const source: ByteSource = {
    read: async (buffer, atLeast) => {
      // Up to the first byte of the second segment.
      const left = header + FIRST + 16 + 1 - at;
      if (atLeast > left) return new Promise((_, reject) => (rest = reject));
      const given = data.subarray(at, at + Math.min(left, buffer.length));
      buffer.set(given);
      at += given.length;
      return given.length;
    },
  };
  const outcome = Promise.allSettled([files.decryptFile({ source, destination: sink })]);
  await expect.poll(() => sink.content().length, { timeout: 20_000 }).toBe(FIRST);
  rest(stop);
  expect(await outcome).toEqual([{ status: 'rejected', reason: stop }]);
  expect(Buffer.compare(sink.content(), known.subarray(0, FIRST))).toBe(0);
});

test.each([0, 1, 2, 3])('nothing is written of a changed segment, nor of those after it (%i)', async (index) => {
  const content = randomBytes(3 * MIB + 5);
  const data = await sealed(content);
  const header = data.length - (content.length + 4 * 16);
  const start = header + (index === 0 ? 0 : FIRST + 16 + (index - 1) * MIB);
  data[start] = (data[start] ?? 0) ^ 1;
  const sink = collector();
  const failure = await failureOf(files.decryptFile({ source: sourceOf(data), destination: sink }));
  expect(failure).toMatchObject({ code: 'ENVELOPE_MODIFIED' });
  const authentic = index === 0 ? 0 : FIRST + (index - 1) * NEXT;
  expect(Buffer.compare(sink.content(), content.subarray(0, authentic))).toBe(0);
});

test('what was written is complete before a failure is reported', async () => {
  const data = await sealed(randomBytes(3 * MIB));
  data[data.length - 1] = (data[data.length - 1] ?? 0) ^ 1;
  let isWriting = false;
  const sink: ByteSink = {
    async write() {
      isWriting = true;
      for (let turns = 0; turns < 50; turns += 1) await turn();
      isWriting = false;
    },
  };
  await failureOf(files.decryptFile({ source: sourceOf(data), destination: sink }));
  expect(isWriting).toBe(false);
});

test('a source is read no further ahead than five segments of what a sink has taken', async () => {
  const content = randomBytes(12 * MIB);
  const inner = sourceOf(content);
  let [given, taken, most] = [0, 0, 0];
  const source: ByteSource = {
    async read(buffer, atLeast) {
      const bytes = await inner.read(buffer, atLeast);
      given += bytes;
      most = Math.max(most, given - taken);
      return bytes;
    },
  };
  const sink: ByteSink = {
    async write(data) {
      for (let turns = 0; turns < 50; turns += 1) await turn();
      taken += data.length;
    },
  };
  await files.encryptFile({ source, destination: sink, keyId });
  expect(most).toBeGreaterThan(2 * MIB);
  expect(most).toBeLessThanOrEqual(5 * MIB);
});

test.each(['source', 'sink'] as const)('what a %s says went wrong is passed on, and no file is left', async (end) => {
  const wrong = new Error('wrong');
  const fail = async () => Promise.reject(wrong);
  const content = randomBytes(2 * MIB);
  const before = readdirSync(home.path);
  const inner = sourceOf(content);
  let reads = 0;
  const failing: ByteSource = { read: (buffer, atLeast) => (++reads > 2 ? fail() : inner.read(buffer, atLeast)) };
  const paths =
    end === 'source'
      ? { source: failing, destination: join(home.path, 'result') }
      : { source: inner, destination: { write: fail } };
  await expect(files.encryptFile({ ...paths, keyId })).rejects.toBe(wrong);
  expect(readdirSync(home.path)).toEqual(before);
});
