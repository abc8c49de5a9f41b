import { copyFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bundle, bundlesOf, ownInputs } from './bundles.mjs';
import { workspaceRoot } from './workspace-root.mjs';

const CLI = join(workspaceRoot, 'packages', 'kms-cli');

/**
 * Bundles the command line, which then starts in a quarter of the processor time. What it loads from a service on the
 * same host stays outside: it may or may not be there.
 *
 * @returns the workspace's own files that went into it
 */
export async function bundleCli(directory) {
  const metafile = await bundle({
    entryPoints: { main: join(CLI, 'src', 'main.ts') },
    outdir: join(directory, 'bundle'),
    external: ['@qnsp/kms-service'],
  });
  // Where the program looks for its version.
  copyFileSync(join(CLI, 'package.json'), join(directory, 'package.json'));
  return [
    ...ownInputs(metafile),
    relative(workspaceRoot, join(CLI, 'package.json')),
    relative(workspaceRoot, import.meta.filename),
  ];
}

const bundles = bundlesOf({ out: join(CLI, 'dist', 'bundles'), entry: join('bundle', 'main.js'), build: bundleCli });

/** The command line, bundled; rebuilt when one of its sources has changed. */
export const ensureCliBundle = () => bundles.ensure();
