import { endLike, runChild } from '../launch/child.mjs';
import { ensureDependencies } from '../launch/dependencies.mjs';
import { runtimeEnvironment } from '../launch/runtime.mjs';

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error('Usage: node tooling/bin/run.mjs <command> [argument...]');
await ensureDependencies();
endLike(await runChild(command, args, { env: runtimeEnvironment() }));
