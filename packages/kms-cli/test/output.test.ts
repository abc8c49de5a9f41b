import { expect, test } from 'vitest';
import { formatOutput } from '../src/output.ts';

test('no cell of a table moves the cursor or changes colours', () => {
  const row = { name: 'red \u001B[31m\r\n', ready: true, none: null };
  expect(formatOutput('table', row, (value) => [value])).toBe(
    'NAME         READY  NONE\nred \uFFFD[31m\uFFFD\uFFFD  yes    -\n',
  );
});
