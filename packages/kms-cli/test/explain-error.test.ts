import { readFileSync } from 'node:fs';
import { KmsClientError } from '@qnsp/kms-client';
import { ERROR_CODES, GATEWAY_ERROR_STATUS } from '@qnsp/kms-contract';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { EXPLAINED_CODES, explainError } from '../src/terminal/explain-error.ts';

const explain = (code: string, facts: ConstructorParameters<typeof KmsClientError>[2] = {}) =>
  explainError(new KmsClientError(code, 'It is so. Do something in TypeScript.', facts));
const system = (code: string, errno: number, syscall: string, facts: { path?: string; dest?: string } = {}) =>
  explainError(Object.assign(new Error('x'), { code, errno, syscall, ...facts }));
/** As `writeAtomically` says it. */
const result = (path: string) => ({ path, dest: path });

describe('the codes', () => {
  test('of the service and of a gateway each have an exit code', () => {
    const known = [...ERROR_CODES, ...Object.keys(GATEWAY_ERROR_STATUS)];
    expect(known.filter((code) => !Object.hasOwn(EXPLAINED_CODES, code))).toEqual([]);
  });

  test.each([...Object.keys(GATEWAY_ERROR_STATUS), 'STORE_UNAVAILABLE', 'UNREACHABLE'])('%s may pass', (code) => {
    expect(explain(code)).toMatchObject({ exitCode: EXIT.unavailable, message: expect.stringMatching(/^It is so: /) });
  });

  test.each([
    [429, EXIT.busy],
    [502, EXIT.unavailable],
    [503, EXIT.unavailable],
    [504, EXIT.unavailable],
  ])('of a page with the status %i may pass as well', (statusCode, exitCode) => {
    expect(explain('UNEXPECTED_ANSWER', { statusCode, retryable: true })).toMatchObject({ exitCode });
    expect(explain('UNEXPECTED_ANSWER', { statusCode: 200 })).toMatchObject({ exitCode: EXIT.configuration });
  });

  test('are all in the documentation', () => {
    const text = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
    const documented = [...text.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
    expect(documented).toEqual(Object.values(EXIT).sort((a, b) => a - b));
  });
});

describe('an error of the system', () => {
  test.each([
    ['ENAMETOOLONG', -36, 'open', { path: 'long' }, EXIT.system],
    ['ENAMETOOLONG', -36, 'open', result('/d/long'), EXIT.output],
    ['EDQUOT', -122, 'write', undefined, EXIT.output],
    ['EFBIG', -27, 'write', undefined, EXIT.output],
    ['EIO', -5, 'read', undefined, EXIT.system],
    ['EIO', -5, 'fsync', undefined, EXIT.output],
    ['EIO', -5, 'close', undefined, EXIT.output],
    ['EMFILE', -24, 'open', { path: 'file' }, EXIT.system],
    ['ELOOP', -40, 'open', { path: 'file' }, EXIT.system],
    ['EACCES', -13, 'open', result('/d/out'), EXIT.output],
    ['EACCES', -13, 'open', { path: '/d/in' }, EXIT.input],
    ['EPERM', -1, 'link', result('/d/out'), EXIT.output],
  ])('%s (%i) at %s of %s is one sentence', (code, errno, syscall, facts, exitCode) => {
    const explained = system(code, errno, syscall, facts);
    expect(explained?.exitCode).toBe(exitCode);
    expect(explained?.message).toMatch(/^[^\n]+\.$/);
    if (facts?.path !== undefined) expect(explained?.message).toContain(facts.path);
  });

  test('is told from a fault of the program', () => {
    expect(explainError(new TypeError('x'))).toBeUndefined();
    expect(explainError(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' }))).toBeUndefined();
  });
});
