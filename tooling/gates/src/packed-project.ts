import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from '@qnsp/test-harness';

const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** A standalone project in a directory, with the packages that it uses as they would be published. */
export interface PackedProject {
  readonly path: string;
  remove(): Promise<void>;
}

/** Builds and packs packages of the workspace, and installs them by npm beside the sources of an example. */
export function packedProject(example: string, packages: readonly string[]): PackedProject {
  const source = join(workspaceRoot, 'examples', example);
  const project = installed(packages, published(join(source, 'package.json')));
  cpSync(join(source, 'src'), join(project.path, 'src'), { recursive: true });
  return project;
}

/** Builds and packs packages of the workspace, and installs them by npm in an empty project, with others of the registry. */
export function installed(packages: readonly string[], others: readonly string[] = []): PackedProject {
  const home = tempDir('qnsp-packed-');
  const tarballs = packages.map((name) => pack(name, join(home.path, 'tarballs')));
  writeFileSync(join(home.path, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--omit=peer', '--ignore-scripts'];
  execute('npm', ['install', ...flags, ...tarballs, ...others], home.path);
  return { path: home.path, remove: () => home.remove() };
}

/** Builds a package of the workspace and packs it as it would be published. Answers the path of the tarball. */
export function pack(name: string, directory: string): string {
  const path = join(workspaceRoot, 'packages', name);
  execute('tsc', ['-b', 'tsconfig.build.json'], path);
  execute('pnpm', ['run', '--if-present', 'bundle'], path);
  const target = join(directory, name);
  mkdirSync(target, { recursive: true });
  execute('pnpm', ['pack', '--pack-destination', target], path);
  const [file] = readdirSync(target);
  if (file === undefined) throw new Error(`Nothing was packed of ${name}.`);
  return join(target, file);
}

/** What the example has from the registry, in the versions of the catalog. */
function published(manifest: string): readonly string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: Record<string, string> };
  return Object.entries(dependencies).flatMap(([name, version]) => {
    if (version !== 'catalog:') return [];
    const found = join(dirname(manifest), 'node_modules', name, 'package.json');
    const { version: exact } = JSON.parse(readFileSync(found, 'utf8')) as { version: string };
    return [`${name}@${exact}`];
  });
}

function execute(command: string, args: readonly string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
}
