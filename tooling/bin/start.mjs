import { runBoundChild } from '../launch/bound-child.mjs';
import { endLike } from '../launch/child.mjs';
import { ensureDependencies } from '../launch/dependencies.mjs';
import { portProblem } from '../launch/free-port.mjs';
import { ensureNativeAddon } from '../launch/native-addon.mjs';
import { runtimePath } from '../launch/runtime.mjs';
import { ensureServiceBundle } from '../launch/service-bundle.mjs';

const EXIT_CONFIGURATION = 78;
/**
 * V8 would let the newest objects take 64 MB, of which hardly any live on. What is experimental and used is what the tests have seen
 * work, so nobody needs to hear of it. The image starts the service with the same.
 */
const NODE_ARGS = ['--max-semi-space-size=16', '--disable-warning=ExperimentalWarning'];

const problem = await portProblem(process.env);
if (problem !== undefined) {
  process.stderr.write(problem);
  process.exit(EXIT_CONFIGURATION);
}
await ensureDependencies();
if (Object.keys(process.env).some((name) => name.startsWith('KMS_PKCS11_'))) await ensureNativeAddon();
const entry = await ensureServiceBundle();
endLike(
  await runBoundChild(runtimePath(), [...NODE_ARGS, entry, ...process.argv.slice(2)], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    env: { KMS_EMBEDDED_DEFAULTS: 'true', ...process.env },
  }),
);
