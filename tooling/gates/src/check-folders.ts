import { fileURLToPath } from 'node:url';
import { folderCycles } from './folder-cycles.ts';

const cycles = folderCycles(fileURLToPath(new URL('../../..', import.meta.url)));
for (const cycle of cycles) {
  process.stdout.write(`${cycle.package}: these folders import one another: ${cycle.folders.join(', ')}\n`);
  for (const example of cycle.examples) process.stdout.write(`  ${example}\n`);
}
if (cycles.length > 0) process.exitCode = 1;
else process.stdout.write('No folders of a package import one another.\n');
