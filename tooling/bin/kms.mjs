#!/usr/bin/env node
import { endLike, runChild } from '../launch/child.mjs';
import { ensureCliBundle } from '../launch/cli-bundle.mjs';
import { ensureDependencies } from '../launch/dependencies.mjs';
import { ensureNativeAddon } from '../launch/native-addon.mjs';
import { runtimePath } from '../launch/runtime.mjs';

await ensureDependencies();
if (Object.keys(process.env).some((name) => name.startsWith('KMS_PKCS11_'))) await ensureNativeAddon();
const entry = await ensureCliBundle();
endLike(
  await runChild(runtimePath(), [entry, ...process.argv.slice(2)], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    // The same as those of `npm start`, so that the root commands see what it sees.
    env: { KMS_EMBEDDED_DEFAULTS: 'true', ...process.env },
  }),
);
