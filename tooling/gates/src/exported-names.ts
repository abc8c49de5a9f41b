import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const DEFINITION =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|interface|type|enum) (\w+)/gm;

/**
 * The names that a program can import from a file, sorted. Read from its text: `export { } from`, `export *` of a file of the same
 * package, and definitions with a name.
 */
export function exportedNames(file: string): readonly string[] {
  return [...new Set(namesIn(file))].toSorted();
}

function namesIn(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8');
  const everything = [...text.matchAll(/^export (?:type )?\* from '(\.[^']+)';$/gm)].map(([, from = '']) =>
    join(dirname(file), from),
  );
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = '']) => list.split(','));
  return [
    ...everything.filter((from) => existsSync(from)).flatMap(namesIn),
    ...lists.map(nameOf).filter((name) => name !== ''),
    ...[...text.matchAll(DEFINITION)].map(([, name = '']) => name),
  ];
}

/** Of `type A`, `A` and `A as B` the name that an import uses. */
function nameOf(item: string): string {
  const words = item
    .replace(/\/\/.*$/gm, '')
    .trim()
    .replace(/^type /, '')
    .split(/\s+as\s+/);
  return words.at(-1)?.trim() ?? '';
}
