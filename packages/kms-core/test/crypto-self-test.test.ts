import { loadVectors, type Vector } from '@qnsp/test-vectors';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../src/exports/internal.ts';
import { type KnownAnswer, KNOWN_ANSWERS } from '../src/self-test/known-answers.ts';
import { powerOnSelfTest } from '../src/self-test/power-on-self-test.ts';

const EXPECTED = ['sealed', 'ciphertext', 'plaintext', 'mac', 'signature', 'sharedSecret', 'publicKeyDigest'] as const;

/** Every field of an answer that the engine must reproduce or accept, each once with its first bit changed. */
function corruptions(answer: KnownAnswer): readonly (readonly [string, KnownAnswer])[] {
  return EXPECTED.flatMap((field) => {
    const value: unknown = Reflect.get(answer, field);
    if (typeof value !== 'string') return [];
    const bytes = Buffer.from(value, 'base64');
    bytes[0] = (bytes[0] ?? 0) ^ 0x80;
    return [[field, { ...answer, [field]: bytes.toString('base64') }] as const];
  });
}

const cases = KNOWN_ANSWERS.flatMap((answer) =>
  corruptions(answer).map(([field, corrupted]) => ({ id: answer.algorithm, field, answer, corrupted })),
);

describe('the start-up self test', () => {
  test('passes every algorithm of the registry on a sound platform', async () => {
    const report = await powerOnSelfTest();
    expect(report.results.filter((result) => !result.passed)).toEqual([]);
    expect(report.results.map((result) => result.algorithm)).toEqual(ALGORITHMS.map((row) => row.id));
    expect(report.passed).toBe(true);
  });

  test('has a known answer for every algorithm of the registry, and none for another', () => {
    const answered = KNOWN_ANSWERS.map((answer) => answer.algorithm);
    expect([...answered].sort()).toEqual(ALGORITHMS.map((row) => row.id).sort());
  });

  test.each(cases)(
    'reports $id, and only it, when its $field is not the published one',
    async ({ answer, corrupted }) => {
      const report = await powerOnSelfTest(KNOWN_ANSWERS.map((one) => (one === answer ? corrupted : one)));
      expect(report.passed).toBe(false);
      const failed = report.results.filter((result) => !result.passed);
      expect(failed.map((result) => result.algorithm)).toEqual([answer.algorithm]);
      expect(failed[0]?.reason).toBeTruthy();
    },
  );

  test.each(ALGORITHMS)('reports $id when it has no known answer', async ({ id }) => {
    const report = await powerOnSelfTest(KNOWN_ANSWERS.filter((answer) => answer.algorithm !== id));
    expect(report.passed).toBe(false);
    expect(report.results.find((result) => result.algorithm === id)).toMatchObject({
      passed: false,
      reason: 'there is no known answer',
    });
  });

  test.each(KNOWN_ANSWERS)('takes the answer of $algorithm from the published vector $source', (answer) => {
    const [file = '', ...rest] = answer.source.split('/');
    const vector = loadVectors(file).vectors.find((one) => one.id === rest.join('/'));
    const published = publishedBytes(vector);
    for (const field of ['message', 'plaintext', 'mac', 'signature', 'sharedSecret'] as const) {
      const value: unknown = Reflect.get(answer, field);
      if (typeof value === 'string') expect(published).toContain(Buffer.from(value, 'base64').toString('hex'));
    }
  });

  test('is over before anyone waits for it', async () => {
    await powerOnSelfTest();
    const before = process.cpuUsage();
    await powerOnSelfTest();
    const { user, system } = process.cpuUsage(before);
    // About 50 ms on a laptop.
    expect((user + system) / 1000).toBeLessThan(1500);
  });
});

function publishedBytes(vector: Vector | undefined): readonly string[] {
  expect(vector).toBeDefined();
  return Object.entries(vector ?? {}).map(([name, value]) =>
    name.endsWith('Base64') ? Buffer.from(String(value), 'base64').toString('hex') : String(value).toLowerCase(),
  );
}
