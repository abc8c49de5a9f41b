import { globSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Phrases of which every use is wrong English, as a regular expression with spaces between words, and what to write instead. */
const PHRASES: readonly (readonly [phrase: string, instead: string])[] = [
  ['can not', 'cannot'],
  ['for ever', 'forever, or permanently'],
  ['anew', 'again'],
  ['who(m)?ever', 'anyone who, or the one who'],
  ['as against', 'as opposed to, or compared with'],
  ['behind the last', 'after the last'],
  ['is none of (its|the|a|an|ours|theirs)', 'is not one of'],
  ['also (when|where|if|while)', 'even when, even where'],
  ['(looks?|looked|looking) whether', 'check whether'],
  ['gone on with', 'continued'],
  ['[a-z]+ meanwhile(?=[.;:)])', 'in the meantime'],
  ['(taken?|takes|taking) (\\S+ ){0,3}into use', 'start to use, or add'],
  ['ha(s|ve) not (the|a|an)', 'does not have'],
  ['(at most|for|with) so many', 'this many'],
  ['would else', 'would otherwise'],
  ['of no use any more', 'no longer usable'],
  ['in the place of', 'in place of'],
];

const READ = [
  '*.md',
  '.changeset/*.md',
  'docs/**/*.md',
  'deploy/**/*.{md,sh,yml,yaml,conf,template}',
  '{apps,examples,packages,tooling}/*/README.md',
  '{apps,examples,packages,tooling}/*/{src,bench,scripts}/**/*.{ts,mjs}',
  'tooling/{bin,launch}/*.mjs',
  'packages/kms-contract/openapi.json',
];
/** What only tests read, and this list itself. */
const LEFT_OUT = /node_modules|\/dist\/|\/testing\/|\.(test|soak|release)\.ts$|gates\/src\/wording\.ts$/;

const root = fileURLToPath(new URL('../../..', import.meta.url));
// A comment may break a phrase at the end of a line.
const GAP = String.raw`(?:\s|\s\*\s|//\s)+`;
const patterns = PHRASES.map(([phrase, instead]) => ({
  pattern: new RegExp(`\\b(?:${phrase.replaceAll(' ', GAP)})(?!\\w)`, 'gi'),
  instead,
}));

const found: string[] = [];
for (const path of globSync(READ, { cwd: root }).filter((each) => !LEFT_OUT.test(each))) {
  const text = readFileSync(`${root}/${path}`, 'utf8');
  for (const { pattern, instead } of patterns)
    for (const match of text.matchAll(pattern)) {
      const line = text.slice(0, match.index).split('\n').length;
      found.push(`${relative('', path)}:${line}: "${match[0].replaceAll(/\s+/g, ' ')}": write ${instead}`);
    }
}
for (const each of found.toSorted()) process.stdout.write(`${each}\n`);
process.exitCode = found.length === 0 ? 0 : 1;
