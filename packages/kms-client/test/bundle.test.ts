import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';

const LIMIT_BYTES = 15_000;

/** What a browser would load: everything in one file, where an import of Node's fails. */
async function bundle(entry: string): Promise<Uint8Array> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL(`../src/${entry}`, import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    logLevel: 'silent',
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error('the bundler wrote nothing');
  return file.contents;
}

describe('the bundle', () => {
  test.each(['index.ts', 'envelope/index.ts', 'fields/index.ts'])(
    'of %s runs without Node and is below 15 kB gzipped',
    async (entry) => {
      const contents = await bundle(entry);
      const text = new TextDecoder().decode(contents);
      expect(text).not.toMatch(/[^"]\bfrom\s*"|\bimport\s*\(|\brequire\(/);
      expect(text).not.toContain('zod');
      expect(text).not.toMatch(/\bBuffer\b|\bprocess\b/);
      expect(gzipSync(contents).length).toBeLessThan(LIMIT_BYTES);
    },
  );

  test('of the Node.js entry cannot be made for a browser', async () => {
    await expect(bundle('node/index.ts')).rejects.toThrow('node:');
  });

  test('has no dependency at run time', () => {
    const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    const manifest = JSON.parse(text) as Record<string, unknown>;
    for (const field of ['dependencies', 'peerDependencies', 'optionalDependencies'])
      expect(manifest).not.toHaveProperty(field);
  });
});
