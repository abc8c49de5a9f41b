import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runChild } from './child.mjs';
import { exclusively } from './exclusive.mjs';
import { runtimePath } from './runtime.mjs';
import { workspaceRoot } from './workspace-root.mjs';

const WHAT_IT_NEEDS = 'a C++ compiler, make and Python 3 (on Debian: g++ make python3)';

/** Where Node.js keeps its headers; nothing has to be downloaded then. */
function headers(runtime) {
  const home = dirname(dirname(runtime));
  return existsSync(join(home, 'include', 'node', 'node_api.h')) ? [`--nodedir=${home}`] : [];
}

/**
 * Builds the native part of pkcs11js unless it is built already. It is not built by the installation, because only those
 * who use an HSM need it, and a compiler for it.
 */
export async function ensureNativeAddon() {
  const adapter = createRequire(join(workspaceRoot, 'packages', 'hsm-pkcs11', 'package.json'));
  const source = dirname(adapter.resolve('pkcs11js/package.json'));
  const addon = join(source, 'build', 'Release', 'pkcs11.node');
  if (existsSync(addon)) return;
  const nodeGyp = createRequire(join(workspaceRoot, 'package.json')).resolve('node-gyp/bin/node-gyp.js');
  const lock = join(tmpdir(), `qnsp-kms-addon-${Buffer.from(source).toString('hex').slice(-24)}`);
  await exclusively(lock, async () => {
    if (existsSync(addon)) return;
    const runtime = runtimePath();
    const { code } = await runChild(runtime, [nodeGyp, 'rebuild', '--silent', ...headers(runtime)], {
      cwd: source,
      // Nobody can fix its warnings here, and they would bury what matters.
      env: { ...process.env, CXXFLAGS: '-w' },
      stdio: ['ignore', 2, 2],
    });
    if (code !== 0) throw new Error(`The native part of pkcs11js could not be built. It needs ${WHAT_IT_NEEDS}.`);
  });
}
