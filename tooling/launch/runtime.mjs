import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { workspaceRoot } from './workspace-root.mjs';

const REQUIRED_MAJOR = 26;

/**
 * The Node.js that runs the TypeScript sources: the caller's own if it is new enough, otherwise the installed package.
 */
export function runtimePath() {
  if (Number.parseInt(process.versions.node, 10) >= REQUIRED_MAJOR) return process.execPath;
  const prefix = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node';
  const name = `${prefix}-${process.platform}-${process.arch}`;
  try {
    const manifest = createRequire(join(workspaceRoot, 'package.json')).resolve(`${name}/package.json`);
    return join(dirname(manifest), 'bin', 'node');
  } catch (cause) {
    throw new Error(
      `No Node.js ${REQUIRED_MAJOR} for ${process.platform}-${process.arch} is packaged: install Node.js ${REQUIRED_MAJOR} or newer and run this again.`,
      { cause },
    );
  }
}

/** The environment in which `node` and every installed tool are the workspace's own. */
export function runtimeEnvironment(environment = process.env) {
  const tools = [dirname(runtimePath()), join(workspaceRoot, 'node_modules', '.bin')];
  return {
    ...environment,
    PATH: [...tools, environment.PATH].filter(Boolean).join(':'),
    DO_NOT_TRACK: '1',
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
  };
}
