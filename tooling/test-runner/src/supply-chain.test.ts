import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('what is installed', () => {
  it('comes by a package manager of one version, whose hash stands in the repository', () => {
    const { packageManager } = JSON.parse(read('package.json')) as { packageManager: string };
    const [, version, hash = ''] = /^pnpm@(\d+\.\d+\.\d+)\+sha512\.([0-9a-f]{128})$/.exec(packageManager) ?? [];
    const integrity = `sha512-${Buffer.from(hash, 'hex').toString('base64')}`;
    expect(read('pnpm-lock.yaml')).toContain(`\n  pnpm@${version}:\n    resolution: {integrity: ${integrity}}`);
    expect(read('pnpm-lock.yaml')).toContain(
      `\n  '@pnpm/exe.linux-x64@${version}':\n    resolution: {integrity: sha512-`,
    );
  });

  it('was public for some days before a lockfile may name it', () => {
    const [, minutes] = /^minimumReleaseAge: (\d+)$/m.exec(read('pnpm-workspace.yaml')) ?? [];
    expect(Number(minutes)).toBeGreaterThanOrEqual(3 * 24 * 60);
  });

  it('is named exactly in the catalog', () => {
    const catalog =
      read('pnpm-workspace.yaml')
        .split(/^catalogs?:$/m)
        .slice(1)
        .join('\n')
        .split(/^# It would/m)[0] ?? '';
    const versions = [...catalog.matchAll(/^ +'?[@\w/-]+'?: (.*)$/gm)].map(([, version]) => version);
    expect(versions.length).toBeGreaterThan(30);
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version ?? ''))).toEqual([]);
  });
});

it.each(globSync('{deploy,examples,apps}/**/Dockerfile*', { cwd: ROOT, exclude: ['**/node_modules'] }))(
  '%s builds from exact versions, and installs only what the lockfile names',
  (path) => {
    const images = [...read(path).matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image);
    const stages = new Set([...read(path).matchAll(/^FROM \S+ AS (\S+)/gm)].map(([, stage]) => stage));
    const foreign = images.filter((image) => !stages.has(image));
    expect(foreign.length).toBeGreaterThan(0);
    expect(foreign.filter((image) => !/:\d+\.\d+\.\d+/.test(image) && !image.includes('@sha256:'))).toEqual([]);
    expect(read(path)).not.toMatch(/\b(npx|npm install|npm i|curl|wget)\b/);
  },
);
