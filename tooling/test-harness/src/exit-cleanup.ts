const pending = new Set<() => void>();

process.on('exit', () => {
  // The last thing started ends first: a server before the directory it writes to.
  for (const cleanup of [...pending].toReversed()) cleanup();
});

/** Runs `cleanup` when this process exits, unless the returned function was called before. */
export function onProcessExit(cleanup: () => void): () => void {
  pending.add(cleanup);
  return () => {
    pending.delete(cleanup);
  };
}
