import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { describeMachine } from './machine.ts';
import { renderSection, writeSection } from './report.ts';
import { useBundles } from './use-bundles.ts';

const REPORT = join(import.meta.dirname, '../../../docs/benchmarks.md');

async function findBenches(): Promise<readonly Bench[]> {
  const files = globSync('*.bench.ts', { cwd: import.meta.dirname }).toSorted();
  // Each of them says so in its type: the default export is a `Bench`.
  return Promise.all(files.map(async (file) => ((await import(`./${file}`)) as { readonly default: Bench }).default));
}

const say = (line: string) => void process.stderr.write(`${line}\n`);
const benches = await findBenches();
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => benches.every((bench) => bench.name !== name));
if (unknown.length > 0) {
  say(`There is no benchmark ${unknown.join(', ')}. There are:`);
  for (const { name, summary } of benches) say(`  ${name}  ${summary}`);
  process.exitCode = 2;
} else {
  useBundles();
  for (const bench of benches.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    say(`${bench.name}: ${bench.summary}`);
    const result = await bench.run((progress) => say(`${bench.name}: ${progress}`));
    const section = renderSection(bench, result, { machine: describeMachine(), date: new Date() });
    process.stdout.write(`\n${section}\n`);
    writeSection(REPORT, bench.name, section);
    // A target that is missed is a result to be seen, by people and by scripts.
    if (!result.holds) process.exitCode = 1;
  }
}
