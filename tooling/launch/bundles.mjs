import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { exclusively } from './exclusive.mjs';
import { workspaceRoot } from './workspace-root.mjs';

/**
 * A running program may still load parts of the bundle that it was started from, so old ones are kept for some days.
 */
const KEPT_BUNDLES = 3;
const KEPT_MS = 7 * 24 * 60 * 60_000;
/** How often a bundle is rebuilt because a file changed in the meantime. */
const MOST_TRIES = 5;

export function filesBelow(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** What shows that a file is the same as before; for a directory, the names below it. */
function stateOf(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return filesBelow(path).sort().join();
  return `${stats?.mtimeMs} ${stats?.size}`;
}

function readRecord(file) {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // Cut off by a full disk, for example. A new one takes its place.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * Bundles of one program, in its own directory below `out`: one file instead of a thousand starts in a third of the
 * time.
 *
 * @param out where the bundles are; `current.json` says which is current, and what it was made of
 * @param entry where the program is in a bundle
 * @param build makes a bundle in a directory, and answers the workspace's own files that went into it
 */
export function bundlesOf({ out, entry, build }) {
  const record = join(out, 'current.json');

  /** The entry of the current bundle if nothing changed that it was made of. */
  function freshEntry() {
    const known = readRecord(record);
    if (known === undefined) return undefined;
    const isFresh = Object.entries(known.inputs).every(([path, state]) => stateOf(join(workspaceRoot, path)) === state);
    return isFresh && existsSync(join(out, known.entry)) ? join(out, known.entry) : undefined;
  }

  async function makeBundle(tries = 1) {
    const begun = Date.now();
    const temporary = join(out, `unfinished-${process.pid}`);
    mkdirSync(temporary, { recursive: true });
    try {
      const files = [...(await build(temporary)), 'pnpm-lock.yaml', relative(workspaceRoot, import.meta.filename)];
      const inputs = Object.fromEntries(files.map((path) => [path, stateOf(join(workspaceRoot, path))]));
      // It is unknown whether a file that changed in the meantime is in the bundle as it was or as it is.
      const changed = files.some((path) => statSync(join(workspaceRoot, path)).mtimeMs >= begun);
      if (changed && tries < MOST_TRIES) return await makeBundle(tries + 1);
      const name = createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16);
      rmSync(join(out, name), { recursive: true, force: true });
      renameSync(temporary, join(out, name));
      const made = join(name, entry);
      writeFileSync(`${record}.new`, JSON.stringify({ entry: made, inputs }));
      renameSync(`${record}.new`, record);
      removeOldBundles();
      return join(out, made);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }

  function removeOldBundles() {
    const bundles = readdirSync(out, { withFileTypes: true })
      .filter((one) => one.isDirectory())
      .map(({ name }) => ({ name, madeAt: statSync(join(out, name)).mtimeMs }))
      .sort((a, b) => b.madeAt - a.madeAt);
    for (const { name, madeAt } of bundles.slice(KEPT_BUNDLES)) {
      if (Date.now() - madeAt > KEPT_MS) rmSync(join(out, name), { recursive: true, force: true });
    }
  }

  return {
    /** The program, bundled; rebuilt when one of its sources has changed. */
    async ensure() {
      const fresh = freshEntry();
      if (fresh !== undefined) return fresh;
      const lock = join(tmpdir(), `qnsp-kms-bundle-${createHash('sha256').update(out).digest('hex').slice(0, 16)}`);
      return exclusively(lock, async () => freshEntry() ?? makeBundle());
    },
  };
}

/** How everything is bundled. */
const BUNDLING = {
  absWorkingDir: workspaceRoot,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  // For packages that are not modules yet and require what Node has built in.
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);",
  },
  metafile: true,
  logLevel: 'error',
};

/** The workspace's own files that went into a bundle. */
export function ownInputs(metafile) {
  return Object.keys(metafile.inputs).filter((path) => !path.includes('node_modules'));
}

/**
 * Bundles, and ends esbuild's own process, which would otherwise stay for as long as this one.
 *
 * @returns what esbuild says of the files that went into it
 */
export async function bundle(options) {
  // Here, not at the top: a launcher that must install the dependencies first could not be loaded.
  const { build, stop } = await import('esbuild');
  try {
    const { metafile } = await build({ ...BUNDLING, ...options });
    return metafile;
  } finally {
    await stop();
  }
}
