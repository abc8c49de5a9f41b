import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ALGORITHMS } from '../src/algorithms/registry.ts';
import { resolveAlgorithm } from '../src/algorithms/resolve.ts';
import { failure } from './crypto-samples.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'algorithms.md'), 'utf8');

/** The cells of the rows of the table under a heading. */
function tableUnder(heading: string): readonly (readonly string[])[] {
  const [section = ''] = page.split(`\n## ${heading}\n`)[1]?.split('\n## ') ?? [];
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test('the page of algorithms names those of the registry, and what it says of them is what stands there', () => {
  const yes = (fact: boolean) => (fact ? 'yes' : 'no');
  expect(tableUnder('Supported')).toEqual(
    ALGORITHMS.map((row) => [
      `\`${row.id}\``,
      row.standardName,
      row.reference,
      `${row.purposes[0]}${row.importOnly ? ', of imported keys only' : ''}`,
      yes(row.quantumSafe),
      yes(row.fipsApproved),
    ]),
  );
});

test.each(['Planned', 'Never, or not before that changes'])(
  'no name under "%s" is one of a key, and each row says why',
  (heading) => {
    const rows = tableUnder(heading);
    expect(rows.length).toBeGreaterThan(1);
    for (const [cell = '', what = '', reason = ''] of rows) {
      const names = [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
      expect(names.length).toBeGreaterThan(0);
      for (const name of names) expect(() => resolveAlgorithm(name), name).toThrow(failure('BAD_REQUEST'));
      expect(what.length).toBeGreaterThan(3);
      expect(reason.length).toBeGreaterThan(10);
    }
  },
);
