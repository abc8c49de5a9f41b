import { expect, test } from 'vitest';
import { makeAccessLog, type RequestFields } from '../src/index.ts';

const ENCRYPT: RequestFields = {
  requestId: 'r-1',
  wire: 'qnsp',
  operation: 'encrypt',
  status: 200,
  durationMs: 1.5,
  tenantId: 't-1',
  subject: 'a "subject"',
};
/** Each differs from its neighbours in one field. */
const LINES: readonly RequestFields[] = [
  ENCRYPT,
  ENCRYPT,
  { ...ENCRYPT, requestId: 'r-2' },
  { ...ENCRYPT, status: 403, code: 'FORBIDDEN' },
  ENCRYPT,
  { ...ENCRYPT, operation: 'decrypt' },
  { ...ENCRYPT, operation: 'decrypt', wire: 'other' },
  { ...ENCRYPT, operation: 'decrypt', wire: 'other', tenantId: 't-2' },
  { ...ENCRYPT, operation: 'decrypt', wire: 'other', tenantId: 't-2', subject: 'another' },
  { ...ENCRYPT, tenantId: undefined, subject: undefined, durationMs: undefined },
  { requestId: 'r-3', status: 400, address: '::1', userAgent: 'a "client"' },
  { requestId: 'r-3', status: 400, subject: 'another' },
  ENCRYPT,
];

test('a line says what is given of its own request, whatever the line before said', () => {
  const lines: string[] = [];
  const log = makeAccessLog('kms', (line) => lines.push(line));
  for (const fields of LINES) log(fields);
  for (const [index, line] of lines.entries()) {
    const { time, ...said } = JSON.parse(line) as Readonly<Record<string, unknown>>;
    expect(line.endsWith('\n')).toBe(true);
    expect(String(time)).toMatch(/^\d{4}-\d\d-\d\dT/);
    const given = Object.fromEntries(Object.entries(LINES[index] ?? {}).filter(([, value]) => value !== undefined));
    expect(said).toEqual({ level: 'info', service: 'kms', msg: 'request', ...given });
  }
  expect(lines).toHaveLength(LINES.length);
});
