import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** What follows `from`, or `import` alone or as a call or a type, and is a file of the same package. The formatter fixes the quotes. */
const IMPORTED = /\b(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g;

/** One import of a file of another folder of the same package, types included. */
interface Edge {
  readonly from: string;
  readonly to: string;
  /** The files, as they are to be named in a complaint. */
  readonly example: string;
}

/** Folders of one package that import one another, and an import for each step of the circle. */
export interface FolderCycle {
  readonly package: string;
  readonly folders: readonly string[];
  readonly examples: readonly string[];
}

/**
 * Finds the circles between the folders of each package. Each directory below `src` is a folder, and so is `src`
 * itself: what everything in a package needs stands in its own folder, and beside `index.ts` is only what puts the
 * folders together.
 */
export function folderCycles(root: string): readonly FolderCycle[] {
  return globSync('{packages,apps,examples,tooling}/*/src', { cwd: root })
    .sort()
    .flatMap((source) => cyclesOf(root, source));
}

function cyclesOf(root: string, source: string): readonly FolderCycle[] {
  const edges = edgesOf(join(root, source));
  return knots(edges).map((folders) => {
    const within = edges.filter(({ from, to }) => folders.includes(from) && folders.includes(to));
    const examples = new Map(within.map(({ from, to, example }) => [`${from} ${to}`, example]));
    return { package: dirname(source), folders: [...folders].sort(), examples: [...examples.values()].sort() };
  });
}

function edgesOf(source: string): readonly Edge[] {
  const files = globSync('**/*.{ts,tsx,mts}', { cwd: source }).filter((file) => !file.endsWith('.test.ts'));
  return files.flatMap((file) => {
    const imported = readFileSync(join(source, file), 'utf8').matchAll(IMPORTED);
    return [...imported].flatMap(([, path = '']) => {
      const target = resolve(source, dirname(file), path);
      const to = relative(source, target);
      if (to.startsWith('..') || dirname(to) === dirname(file) || !existsSync(target)) return [];
      return [{ from: dirname(file), to: dirname(to), example: `${file} imports ${to}` }];
    });
  });
}

/** The folders that lead to one another, in groups of two and more. */
function knots(edges: readonly Edge[]): readonly (readonly string[])[] {
  const next = Map.groupBy(edges, ({ from }) => from);
  const reached = new Map<string, ReadonlySet<string>>();
  const reachedFrom = (start: string): ReadonlySet<string> => {
    const known = reached.get(start);
    if (known !== undefined) return known;
    const found = new Set<string>();
    const waiting = [start];
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop())
      for (const { to } of next.get(folder) ?? [])
        if (!found.has(to)) {
          found.add(to);
          waiting.push(to);
        }
    reached.set(start, found);
    return found;
  };
  const groups = new Map<string, string[]>();
  for (const folder of next.keys()) {
    if (!reachedFrom(folder).has(folder)) continue;
    const knot = [...reachedFrom(folder)].filter((other) => reachedFrom(other).has(folder)).sort();
    groups.set(knot.join(' '), knot);
  }
  return [...groups.values()];
}
