import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hex, loadVectors, parseVectors, text } from './load-vectors.ts';

const files = readdirSync(new URL('../data/', import.meta.url));
const valid = { standard: 'S', source: 'D', licence: 'L', vectors: [{ id: '1', key: '00ff' }] };

describe('published vectors', () => {
  it.each(files)('%s names its source and licence and holds cases', (file) => {
    expect(file).toMatch(/^[a-z0-9_-]+\.json$/);
    expect(loadVectors(file.replace('.json', '')).vectors.length).toBeGreaterThan(0);
  });

  it('stay small enough to clone', () => {
    const bytes = files.map((file) => readFileSync(new URL(`../data/${file}`, import.meta.url)).length);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(3 * 1024 * 1024);
  });

  it.each([
    ['no vectors', { ...valid, vectors: [] }],
    ['vectors that are no list', { ...valid, vectors: {} }],
    ['no source', { ...valid, source: '' }],
    ['no licence', { ...valid, licence: undefined }],
    ['a vector without id', { ...valid, vectors: [{ key: '00' }] }],
    ['two vectors with one id', { ...valid, vectors: [{ id: '1' }, { id: '1' }] }],
    ['a nested vector', { ...valid, vectors: [{ id: '1', key: {} }] }],
    ['a list at the top', []],
  ])('are refused with %s', (_what, file) => {
    expect(() => parseVectors('test', JSON.stringify(file))).toThrow(TypeError);
  });

  it('are refused when the file is empty or missing', () => {
    expect(() => parseVectors('test', '')).toThrow(SyntaxError);
    expect(() => loadVectors('no-such-file')).toThrow('ENOENT');
  });

  it('give no bytes for a field that is missing or not hex', () => {
    const vector = { id: '1', key: '00ff', odd: '0', word: 'zz' };
    expect(hex(vector, 'key')).toEqual(Buffer.of(0, 255));
    for (const field of ['odd', 'word', 'none']) expect(() => hex(vector, field)).toThrow(TypeError);
    expect(() => text(vector, 'none')).toThrow('none is missing');
  });
});
