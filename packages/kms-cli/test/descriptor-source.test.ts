import { execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, constants, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type ClosableSource, descriptorSource } from '../src/files/descriptor-source.ts';

const home = tempDir('qnsp-descriptor-');
let count = 0;
afterAll(() => home.remove());

interface Piped {
  readonly writer: number;
  readonly open: (signal?: AbortSignal) => ClosableSource;
}

/** A pipe of the system, which holds 64 KiB. */
function pipe(): Piped {
  const path = join(home.path, `pipe-${(count += 1)}`);
  execFileSync('mkfifo', [path]);
  // Without a writer it opens only if it need not wait for one; the descriptor is closed with the source.
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return {
    writer: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK),
    open: (signal) => descriptorSource(reader, signal),
  };
}

function writeAsMuchAsFits(writer: number, data: Uint8Array): number {
  if (data.length === 0) return 0;
  try {
    return writeSync(writer, data);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    throw error;
  }
}

/** All that a source gives, with requests of these sizes in turn. */
async function drain(source: ClosableSource, sizes: () => { readonly room: number; readonly atLeast: number }) {
  const pieces: Buffer[] = [];
  for (;;) {
    const { room, atLeast } = sizes();
    const buffer = new Uint8Array(room);
    const filled = await source.read(buffer, atLeast);
    pieces.push(Buffer.from(buffer.subarray(0, filled)));
    expect(buffer.subarray(filled).every((byte) => byte === 0)).toBe(true);
    if (filled < atLeast) {
      expect(await source.read(buffer, 1)).toBe(0);
      return Buffer.concat(pieces);
    }
  }
}

const anySizes = () => {
  const room = randomInt(1, 100_000);
  return { room, atLeast: randomInt(1, room + 1) };
};

describe('a pipe', () => {
  let piped: Piped;
  beforeEach(() => {
    piped = pipe();
  });

  test.each([0, 1, 65_535, 65_536, 65_537, 1_000_000])(
    'gives all of %i bytes, in whatever pieces they come',
    async (length) => {
      const content = randomBytes(length);
      const source = piped.open();
      const drained = drain(source, anySizes);
      for (let at = 0; at < length; ) {
        at += writeAsMuchAsFits(piped.writer, content.subarray(at, at + randomInt(1, 60_000)));
        await turn();
      }
      closeSync(piped.writer);
      expect(Buffer.compare(await drained, content)).toBe(0);
      source.close();
    },
  );

  test('gives single bytes as they come', async () => {
    const source = piped.open();
    const buffer = new Uint8Array(100);
    for (let value = 1; value <= 100; value += 1) {
      writeSync(piped.writer, Uint8Array.of(value));
      expect(await source.read(buffer, 1)).toBe(1);
      expect(buffer[0]).toBe(value);
    }
    closeSync(piped.writer);
    expect(await source.read(buffer, 1)).toBe(0);
    source.close();
  });

  test('keeps what nobody has asked for yet', async () => {
    const content = randomBytes(200_000);
    const source = piped.open();
    let written = 0;
    const fillUp = async () => {
      for (let turns = 0; turns < 20; turns += 1) {
        written += writeAsMuchAsFits(piped.writer, content.subarray(written));
        await turn();
      }
    };
    const pieces: Uint8Array[] = [];
    while (written < content.length) {
      await fillUp();
      const buffer = new Uint8Array(7);
      pieces.push(buffer.subarray(0, await source.read(buffer, 1)));
      // Once the pipe is full there is room for no more than what was read ahead of a request.
      await fillUp();
      const rest = new Uint8Array(60_000);
      pieces.push(rest.subarray(0, await source.read(rest, 1)));
    }
    closeSync(piped.writer);
    pieces.push(await drain(source, anySizes));
    expect(Buffer.compare(Buffer.concat(pieces), content)).toBe(0);
    source.close();
  });

  test('answers with what there is when it ends', async () => {
    const source = piped.open();
    writeSync(piped.writer, 'abc');
    const buffer = new Uint8Array(10);
    const reading = source.read(buffer, 10);
    closeSync(piped.writer);
    expect(await reading).toBe(3);
    expect(await source.read(buffer, 10)).toBe(0);
    source.close();
  });

  test('ends with the reason of the signal, also when nobody reads yet', async () => {
    const controller = new AbortController();
    const source = piped.open(controller.signal);
    const reason = new Error('enough');
    const reading = source.read(new Uint8Array(10), 1);
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    await expect(source.read(new Uint8Array(10), 1)).rejects.toBe(reason);
    closeSync(piped.writer);
    source.close();
    const later = pipe();
    await expect(later.open(controller.signal).read(new Uint8Array(10), 1)).rejects.toBe(reason);
    closeSync(later.writer);
  });
});

test.each([0, 1, 65_536, 1_000_001])('a file of %i bytes gives all of them', async (length) => {
  const path = join(home.path, `file-${length}`);
  const content = randomBytes(length);
  writeFileSync(path, content);
  const descriptor = openSync(path, 'r');
  expect(Buffer.compare(await drain(descriptorSource(descriptor, undefined), anySizes), content)).toBe(0);
  closeSync(descriptor);
});
