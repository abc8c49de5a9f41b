import { type Line, LineSplitter } from '@qnsp/kms-audit';
import { linesOf } from '../src/lines.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';

/** What is read of these bytes when they come in pieces that end at these places. */
async function read(bytes: Buffer, ends: readonly number[] = []): Promise<Line[]> {
  const at = [...new Set([0, ...ends.map((end) => end % (bytes.length + 1)), bytes.length])].toSorted((a, b) => a - b);
  const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
  const lines: Line[] = [];
  for await (const line of linesOf(piecesOf(pieces))) lines.push(line);
  return lines;
}

async function* piecesOf(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

const text = fc.string({ unit: 'binary' }).map((any) => any.replaceAll('\n', ''));

test('a line is whatever stands before a line feed, wherever the pieces of the input end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(text), fc.array(fc.nat()), async (lines, ends) => {
      expect(await read(Buffer.from(lines.map((line) => `${line}\n`).join('')), ends)).toEqual(lines);
    }),
  );
});

test('of all characters of Unicode none but the line feed ends a line', async () => {
  const all: string[] = [];
  for (let code = 0; code <= 0x10_ff_ff; code += 1)
    if (code !== 0x0a && (code < 0xd8_00 || code > 0xdf_ff)) all.push(String.fromCodePoint(code));
  expect(all).toHaveLength(0x11_00_00 - 0x8_00 - 1);
  expect((await read(Buffer.from(`${all.join('')}\nnext\n`))).length).toBe(2);
  expect(await read(Buffer.from(`${all.join('x\n')}\n`))).toHaveLength(all.length);
});

test('what is behind the last line feed is a line, and nothing is none', async () => {
  expect(await read(Buffer.from('one\ntwo'))).toEqual(['one', 'two']);
  expect(await read(Buffer.from(''))).toEqual([]);
  expect(await read(Buffer.from('\n\n'))).toEqual(['', '']);
});

test('bytes that are not UTF-8 are no text, and the lines around them are', async () => {
  const bytes = Buffer.concat([
    Buffer.from('before\n'),
    Buffer.of(0x22, 0xff, 0x22, 0x0a),
    Buffer.from('\ufeffafter\n'),
  ]);
  expect(await read(bytes)).toEqual(['before', { problem: 'the line is not UTF-8', bytes: 3 }, '\ufeffafter']);
});

test('a line that is too long is counted and not kept, and what follows is read', () => {
  const splitter = new LineSplitter(1000);
  const lines: Line[] = [];
  for (let piece = 0; piece < 100; piece += 1) lines.push(...splitter.push(Buffer.alloc(64, 'a')));
  lines.push(...splitter.push(Buffer.from('\nnext\n')));
  expect(lines).toEqual([{ problem: expect.stringContaining('6400 bytes'), bytes: 6400 }, 'next']);
  expect(splitter.end()).toBeUndefined();
});
