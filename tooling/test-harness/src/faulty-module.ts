import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { tempDir } from './temp-dir.ts';

const require = createRequire(import.meta.url);
const SOURCE = join(import.meta.dirname, 'faulty-module.c');

/** A PKCS #11 module that passes calls on to another one and injects faults on the way, as `faulty-module.c` says. */
export interface FaultyModule {
  readonly path: string;
  /** What the process of the module needs in its environment. */
  readonly environment: NodeJS.ProcessEnv;
  /** From the next call on these rules hold, and no others. */
  rules(...lines: readonly string[]): void;
  /** How often a function was called since the last call of `forget`. */
  calls(name: string): number;
  forget(): void;
  remove(): Promise<void>;
}

let compiled: string | undefined;

/** Compiles the module, once in a process. */
function compile(): string {
  if (compiled !== undefined) return compiled;
  const path = join(tempDir('qnsp-faulty-').path, 'faulty.so');
  const includes = join(dirname(require.resolve('pkcs11js/package.json')), 'includes');
  execFileSync(
    'gcc',
    ['-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-I', includes, '-o', path, SOURCE, '-ldl', '-lpthread'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  compiled = path;
  return path;
}

/** Puts the module in front of a real one. */
export function faultyModule(realModule: string): FaultyModule {
  const home = tempDir('qnsp-faults-');
  const path = compile();
  const rules = join(home.path, 'rules');
  const log = join(home.path, 'log');
  return {
    path,
    environment: { FAULTY_MODULE_REAL: realModule, FAULTY_MODULE_RULES: rules, FAULTY_MODULE_LOG: log },
    rules: (...lines) => {
      for (const marker of globSync(`${rules}.*.done`)) rmSync(marker);
      // A call that reads at this moment sees the old rules or the new ones, never half a line.
      writeFileSync(`${rules}.new`, lines.map((line) => `${line}\n`).join(''));
      renameSync(`${rules}.new`, rules);
    },
    calls: (name) =>
      existsSync(log)
        ? readFileSync(log, 'utf8')
            .split('\n')
            .filter((line) => line === name).length
        : 0,
    forget: () => rmSync(log, { force: true }),
    remove: () => home.remove(),
  };
}
