import { ensureDependencies } from '../launch/dependencies.mjs';
import { bundleService, ensureServiceBundle } from '../launch/service-bundle.mjs';

await ensureDependencies();
const [directory] = process.argv.slice(2);
if (directory === undefined) process.stdout.write(`${await ensureServiceBundle()}\n`);
else await bundleService(directory);
