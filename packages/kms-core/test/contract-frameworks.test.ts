import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath as pathOf } from 'node:url';
import * as vitest from 'vitest';
import { describe, expect, it } from 'vitest';
import { declareContract, type TestFramework } from '../src/testing/index.ts';
import { contractOfArguments } from './frameworks/stores.ts';

const NO_VITEST = new URL('frameworks/no-vitest.ts', import.meta.url).href;
const BROKEN = 'unit of work > answers a ping';

const WAYS: Readonly<Record<string, readonly string[]>> = {
  'node:test': ['--test-reporter=tap', pathOf(new URL('frameworks/with-node-test.ts', import.meta.url))],
  'no framework': [pathOf(new URL('frameworks/with-nothing.ts', import.meta.url))],
};

/** Runs a file in a Node.js that refuses to import vitest. */
async function run(way: string, ...options: readonly string[]) {
  const child = spawn(process.execPath, ['--import', NO_VITEST, ...(WAYS[way] ?? []), ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // A runner that finds itself below another one reports in a way of its own.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined },
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const output = await text(child.stdout);
  const count = (what: string): number => Number(new RegExp(`^(?:# )?${what} (\\d+)$`, 'm').exec(output)?.[1]);
  return { code: await exit, output, passed: count('pass'), failed: count('fail') };
}

// With vitest, which all the others of this package run with as well.
declareContract(contractOfArguments(), vitest);

describe.each(Object.keys(WAYS))('a contract that runs with %s', (way) => {
  const { cases } = contractOfArguments();

  it('passes for a sound implementation, case by case', async () => {
    expect(await run(way)).toMatchObject({ code: 0, passed: cases.length, failed: 0 });
  });

  it('fails for an implementation that breaks a rule, in the case of that rule alone', async () => {
    const { output, ...outcome } = await run(way, 'broken');
    expect(outcome).toEqual({ code: 1, passed: cases.length - 1, failed: 1 });
    expect(output).toMatch(new RegExp(`(not ok \\d+ - |broken: )${BROKEN}`));
    expect(output).toContain('this ping fails');
  });
});

describe('a contract', () => {
  it('has cases whose names are all different', () => {
    const names = contractOfArguments().cases.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('opens for the first case and closes at the end, whoever runs it', async () => {
    const order: string[] = [];
    const framework: TestFramework = {
      describe: (_name, body) => body(),
      it: (name) => order.push(name),
      beforeAll: () => order.push('open'),
      afterAll: () => order.push('close'),
    };
    const contract = contractOfArguments();
    declareContract(contract, framework);
    expect(order).toEqual(['open', 'close', ...contract.cases.map(({ name }) => name)]);
  });
});
