import { join } from 'node:path';
import { endLike, runChild } from '../launch/child.mjs';
import { ensureDependencies } from '../launch/dependencies.mjs';
import { runtimeEnvironment, runtimePath } from '../launch/runtime.mjs';
import { workspaceRoot } from '../launch/workspace-root.mjs';

await ensureDependencies();
const runner = join(workspaceRoot, 'tooling', 'test-runner', 'src', 'main.ts');
endLike(
  await runChild(runtimePath(), [runner, ...process.argv.slice(2)], { cwd: workspaceRoot, env: runtimeEnvironment() }),
);
