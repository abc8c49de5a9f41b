import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { workspaceRoot } from '../launch/workspace-root.mjs';

/** The tests of what happens when the database or the service fails. */
const FAULTS = ['apps/kms-service/test/faults', 'packages/kms-store-drizzle/test/failures.test.ts'];

const [wanted = '20', ...args] = process.argv.slice(2);
const rounds = Number(wanted);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error('Usage: npm run test:faults -- [rounds] [argument of npm test...]');

/** Runs the tests once, those of every run and those of a release. */
async function runOnce() {
  const [usual, release] = [await runKind(), await runKind('--release')];
  return {
    passed: usual.passed && release.passed,
    text: `${usual.text}${release.text}`,
    tally: `${usual.tally}; ${release.tally}`,
  };
}

/** Runs the tests of one kind. Their output is worth reading only if one of them failed. */
async function runKind(...flags) {
  const test = join(workspaceRoot, 'tooling', 'bin', 'test.mjs');
  const child = spawn(process.execPath, [test, ...flags, ...(args.length === 0 ? FAULTS : args)], {
    cwd: workspaceRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk));
  const [code] = await once(child, 'close');
  const text = Buffer.concat(said).toString();
  return { passed: code === 0, text, tally: text.trimEnd().split('\n').at(-1) };
}

let passed = 0;
for (let round = 1; round <= rounds; round += 1) {
  const begun = performance.now();
  const outcome = await runOnce();
  if (outcome.passed) passed += 1;
  else process.stderr.write(outcome.text);
  const seconds = Math.round((performance.now() - begun) / 1000);
  process.stdout.write(`round ${round}: ${outcome.passed ? 'passed' : 'FAILED'} (${outcome.tally}) in ${seconds} s\n`);
}
process.stdout.write(`${passed} of ${rounds} rounds passed\n`);
process.exitCode = passed === rounds ? 0 : 1;
