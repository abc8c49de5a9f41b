import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { run } from '../src/run.ts';

test('the command line says which version it is', async () => {
  const said: string[] = [];
  const code = await run(['--version'], {
    environment: {},
    out: (text) => void said.push(text),
    err: (text) => void said.push(text),
    pipes: {
      input: new PassThrough(),
      inputDescriptor: 0,
      output: new PassThrough(),
      outputIsTerminal: false,
      errorIsTerminal: false,
    },
  });
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  expect(code).toBe(EXIT.done);
  expect(said.join('')).toBe(`${String((JSON.parse(manifest) as { readonly version: unknown }).version)}\n`);
});
