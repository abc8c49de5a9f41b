import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKmsClient, type KmsClient } from '@qnsp/kms-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, startLocalKms } from './local-kms.ts';

interface Line {
  readonly row: number;
  readonly ciphertext: string;
  readonly context?: Readonly<Record<string, string>>;
  readonly keyVersion?: number;
  readonly error?: { readonly code: string };
}

let local: LocalKms;
let kms: KmsClient;
beforeAll(async () => {
  local = await startLocalKms();
  const { baseUrl, apiToken: token } = JSON.parse(
    readFileSync(join(local.environment['KMS_DATA_DIR'] ?? '', 'client.json'), 'utf8'),
  ) as { baseUrl: string; apiToken: string };
  kms = createKmsClient({ baseUrl, token });
});
afterAll(() => local.end());

let files = 0;
const file = () => join(local.directory, `list-${(files += 1)}.jsonl`);
const written = (path: string) => readFileSync(path, 'utf8');
const linesOf = (path: string): readonly Line[] =>
  written(path)
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
const reencrypt = (list: string, out: string, ...more: string[]) =>
  callKms(local.environment, ['-o', 'json', 'reencrypt', '--in', list, '--out', out, ...more]);

/** A key with two versions, and a list of ciphertexts of the first one. */
async function makeList(count: number): Promise<{ readonly keyId: string; readonly list: string }> {
  const { keyId } = await kms.createKey({ name: 'rows' });
  const items = Array.from({ length: count }, (_, row) => ({
    keyId,
    plaintext: Buffer.from(`row ${row}`),
    ...(row % 2 === 0 ? {} : { context: { row: String(row) } }),
  }));
  const results = await kms.batch('encrypt', items);
  const lines = results.map((result, row) => {
    if (!result.ok) throw result.error;
    const { context } = items[row] ?? {};
    const ciphertext = Buffer.from(result.value.ciphertext).toString('base64');
    return `${JSON.stringify({ row, ...(context === undefined ? {} : { context }), ciphertext })}\n`;
  });
  await kms.rotateKey({ keyId });
  const list = file();
  writeFileSync(list, lines.join(''));
  return { keyId, list };
}

async function expectRows(out: string, count: number, version: number): Promise<void> {
  const lines = linesOf(out);
  expect(lines.map(({ row, keyVersion }) => [row, keyVersion])).toEqual(
    Array.from({ length: count }, (_, row) => [row, version]),
  );
  const inputs = lines.map(({ ciphertext, context }) => ({ ciphertext: Buffer.from(ciphertext, 'base64'), context }));
  const plaintexts = (await kms.batch('decrypt', inputs)).map((result) =>
    result.ok ? Buffer.from(result.value.plaintext).toString() : result.error.code,
  );
  expect(plaintexts).toEqual(Array.from({ length: count }, (_, row) => `row ${row}`));
}

describe('kms reencrypt', () => {
  test('keeps the spelling of every number, of any size', async () => {
    const { list } = await makeList(1);
    const ids = '"row":9007199254740993,"score":1.10,"list":[1e2]';
    writeFileSync(list, written(list).replace('"row":0', ids));
    const out = file();
    expect(await reencrypt(list, out)).toMatchObject({ code: EXIT.done });
    expect(written(out)).toContain(`{${ids},`);
  });

  test('leaves a file alone that is not its output', async () => {
    const { list } = await makeList(2);
    const before = written(list).trimEnd();
    writeFileSync(list, before);
    expect(await reencrypt(list, list)).toMatchObject({ code: EXIT.usage });
    const link = file();
    symlinkSync(list, link);
    expect(await reencrypt(list, link)).toMatchObject({ code: EXIT.usage });
    for (const foreign of ['a text without an end of line', before.split('\n')[1] ?? '', '{"row":7}\n{"ro']) {
      const out = file();
      writeFileSync(out, foreign);
      expect(await reencrypt((await makeList(1)).list, out)).toMatchObject({ code: EXIT.data });
      expect(written(out)).toBe(foreign);
    }
    expect(written(list)).toBe(before);
  });

  test('moves a list to the newest version, in its order, with everything else in its lines', async () => {
    const { keyId, list } = await makeList(1200);
    const out = file();
    const { code, out: counts, err } = await reencrypt(list, out);
    expect([code, err]).toEqual([EXIT.done, '']);
    expect(JSON.parse(counts)).toEqual([{ key: keyId, version: '2', ciphertexts: 1200, failed: 0 }]);
    await expectRows(out, 1200, 2);
  });

  test('continues where it was, and does a line again of which only the beginning was written', async () => {
    const { keyId, list } = await makeList(30);
    const whole = file();
    await reencrypt(list, whole);
    const lines = written(whole).split('\n');
    const cuts = [0, 1, 17, 29, 30];
    for (const done of cuts)
      for (const torn of ['', (lines[done] ?? '').slice(0, 40)]) {
        const out = file();
        const kept = lines
          .slice(0, done)
          .map((line) => `${line}\n`)
          .join('');
        writeFileSync(out, kept + torn);
        const { code, out: counts } = await reencrypt(list, out);
        expect(code).toBe(EXIT.done);
        expect(JSON.parse(counts)).toEqual([{ key: keyId, version: '2', ciphertexts: 30, failed: 0 }]);
        expect(written(out).startsWith(kept), 'what was done stays').toBe(true);
        await expectRows(out, 30, 2);
      }
  });

  test('keeps what cannot be encrypted again, says so in its place, and takes it up as a list', async () => {
    const { keyId, list } = await makeList(5);
    const lines = written(list).split('\n').slice(0, -1);
    const broken = JSON.parse(lines[1] ?? '') as Line;
    const list2 = file();
    const changed = [
      lines[0],
      JSON.stringify({ ...broken, context: { row: 'another' } }),
      'no JSON',
      lines[2],
      JSON.stringify({ row: 9, ciphertext: '!' }),
    ];
    writeFileSync(list2, changed.join('\n'));
    const out = file();
    const { code, out: counts, err } = await reencrypt(list2, out);
    expect(code).toBe(EXIT.failed);
    expect(err).toContain('3 ciphertexts are as before');
    expect(linesOf(out).map(({ keyVersion, error }) => keyVersion ?? error?.code)).toEqual([
      2,
      'DECRYPT_FAILED',
      'INVALID_ARGUMENT',
      2,
      'INVALID_ARGUMENT',
    ]);
    expect(JSON.parse(counts)).toEqual([
      { key: keyId, version: '1', ciphertexts: 1, failed: 1 },
      { key: keyId, version: '2', ciphertexts: 2, failed: 0 },
      { key: 'none', version: 'none', ciphertexts: 2, failed: 2 },
    ]);
    // The context is put right, and the output is the next list.
    const again = file();
    writeFileSync(again, written(out).split('\n').slice(0, 2).join('\n').replace('another', '1'));
    const next = file();
    expect(await reencrypt(again, next)).toMatchObject({ code: EXIT.done });
    expect(linesOf(next).map(({ row, error }) => [row, error])).toEqual([
      [0, undefined],
      [1, undefined],
    ]);
  });

  test('moves a list to another key', async () => {
    const { list } = await makeList(3);
    const { keyId: other } = await kms.createKey({ name: 'new home' });
    const out = file();
    const { out: counts } = await reencrypt(list, out, '--to', 'new home');
    expect(JSON.parse(counts)).toEqual([{ key: other, version: '1', ciphertexts: 3, failed: 0 }]);
    await expectRows(out, 3, 1);
  });

  test('refuses an output of another list, and a list that is a pipe', async () => {
    const { list } = await makeList(4);
    const out = file();
    await reencrypt(list, out);
    const lines = written(list).split('\n');
    const [other, shorter] = [file(), file()];
    writeFileSync(other, lines.toReversed().slice(1).join('\n'));
    writeFileSync(shorter, lines.slice(0, 2).join('\n'));
    for (const wrong of [other, shorter]) {
      const before = written(out);
      expect(await reencrypt(wrong, out)).toMatchObject({
        code: EXIT.data,
        err: expect.stringContaining('not of this list'),
      });
      expect(written(out)).toBe(before);
    }
    expect(await reencrypt('-', file())).toMatchObject({ code: EXIT.usage });
  });
});
