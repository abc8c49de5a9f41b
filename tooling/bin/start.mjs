import { join } from 'node:path';
import { runBoundChild } from '../launch/bound-child.mjs';
import { endLike } from '../launch/child.mjs';
import { ensureDependencies } from '../launch/dependencies.mjs';
import { ensureNativeAddon } from '../launch/native-addon.mjs';
import { runtimePath } from '../launch/runtime.mjs';
import { workspaceRoot } from '../launch/workspace-root.mjs';

await ensureDependencies();
if (Object.keys(process.env).some((name) => name.startsWith('KMS_PKCS11_'))) await ensureNativeAddon();
const entry = join(workspaceRoot, 'apps', 'kms-service', 'src', 'main.ts');
endLike(
  await runBoundChild(runtimePath(), [entry, ...process.argv.slice(2)], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    env: { KMS_EMBEDDED_DEFAULTS: 'true', ...process.env },
  }),
);
