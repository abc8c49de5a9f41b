import { fileURLToPath } from 'node:url';
import { folderCycles } from './folder-cycles.ts';

/** Packages whose folders still do. */
const OPEN: readonly string[] = ['packages/kms-core'];

const cycles = folderCycles(fileURLToPath(new URL('../../..', import.meta.url))).filter(
  (cycle) => !OPEN.includes(cycle.package),
);
for (const cycle of cycles) {
  process.stdout.write(`${cycle.package}: these folders import one another: ${cycle.folders.join(', ')}\n`);
  for (const example of cycle.examples) process.stdout.write(`  ${example}\n`);
}
if (cycles.length > 0) process.exitCode = 1;
else process.stdout.write('No folders of a package import one another.\n');
