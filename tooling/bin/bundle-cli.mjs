import { resolve } from 'node:path';
import { bundleCli, ensureCliBundle } from '../launch/cli-bundle.mjs';
import { ensureDependencies } from '../launch/dependencies.mjs';

await ensureDependencies();
const [directory] = process.argv.slice(2);
if (directory === undefined) process.stdout.write(`${await ensureCliBundle()}\n`);
else await bundleCli(resolve(directory));
