import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from '@qnsp/test-harness';
import type { Gate } from './gates.ts';

const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const LEFT_OUT = new Set(['.git', '.turbo', 'dist']);

interface GateResult {
  readonly passed: boolean;
  readonly output: string;
}

export interface WorkspaceCopy {
  readonly path: string;
  /** Writes these files, runs the gate and puts everything back as it was. */
  runWith(files: Readonly<Record<string, string>>, gate: Gate): GateResult;
  read(path: string): string;
  remove(): Promise<void>;
}

/** A copy of the workspace that uses the same installed dependencies. */
export function copyWorkspace(): WorkspaceCopy {
  const home = tempDir('qnsp-gates-');
  const root = join(home.path, 'workspace');
  const installed = join(workspaceRoot, 'node_modules');
  cpSync(workspaceRoot, root, {
    recursive: true,
    // The packages' links to each other are relative, so in the copy they lead to the copy.
    verbatimSymlinks: true,
    filter: (path) => path !== installed && !LEFT_OUT.has(basename(path)),
  });
  symlinkSync(installed, join(root, 'node_modules'));

  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  return {
    path: root,
    read,
    runWith(files, gate) {
      const before = Object.keys(files).map((path) => [path, readIfPresent(join(root, path))] as const);
      for (const [path, content] of Object.entries(files)) write(path, content);
      const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', gate], { cwd: root, encoding: 'utf8' });
      for (const [path, content] of before) {
        if (content === undefined) rmSync(join(root, path));
        else write(path, content);
      }
      return { passed: status === 0, output: stdout + stderr };
    },
    remove: () => home.remove(),
  };
}

function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
