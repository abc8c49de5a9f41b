import { existsSync, readFileSync } from 'node:fs';
import * as testing from '@qnsp/kms-core/testing';
import { describe, expect, it } from 'vitest';
import { CONTRACTS } from '../src/contracts.ts';

const DOCS = new URL('../../../docs/', import.meta.url);
const ROOT = new URL('../', DOCS);
const page = readFileSync(new URL('ports.md', DOCS), 'utf8');
const all = (pattern: RegExp): readonly string[] => [...page.matchAll(pattern)].map(([, found]) => found ?? '');

describe('docs/ports.md', () => {
  it('names files that are there', () => {
    const links = all(/\]\(([^)#]+)/g).map((link) => new URL(link, DOCS));
    const paths = all(/`((?:examples|packages)\/[^`\s]+)`/g).map((path) => new URL(path, ROOT));
    const steps = all(/`([a-z-]+\.ts)`/g).map((file) => new URL(`examples/own-adapters/src/store/${file}`, ROOT));
    expect(links.length > 10 && paths.length > 4 && steps.length > 10).toBe(true);
    for (const each of [...links, ...paths, ...steps]) expect(existsSync(each), each.pathname).toBe(true);
  });

  it('lists every suite that there is', () => {
    const suites = Object.keys(testing).filter((name) => /[a-z]Contract$/.test(name) && name !== 'declareContract');
    expect(all(/\| `([a-zA-Z]+Contract)` \|/g).toSorted()).toEqual(suites.toSorted());
  });

  it('names every group of cases that the suite of a store has, each in the step that it is for', () => {
    const store = CONTRACTS.find(({ name }) => name === 'SQLite store');
    const groups = new Set(store?.cases.map(({ name }) => name.split(' > ')[0]));
    const [, steps = ''] = /group of cases \|\n([\s\S]*?)\n\n/.exec(page) ?? [];
    const named = steps.split('\n').flatMap(
      (row) =>
        row
          .split('|')
          .at(-2)
          ?.match(/(?<=`)[a-z ]+(?=`)/g) ?? [],
    );
    expect(new Set(named.filter((name) => /[a-z]/.test(name)))).toEqual(groups);
  });
});
