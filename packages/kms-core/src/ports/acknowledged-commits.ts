/**
 * Commits acknowledged to one process. A database that lacks one of them is an older one than that process worked on.
 */
export interface KnownCommits {
  /** One life of one process. */
  readonly holder: string;
  /** How many commits were acknowledged to it, by the connection that they were made on. */
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Where processes keep what they know beyond the reach of a failover of the database: a hint, which may forget. What it
 * recalls has to be authentic.
 */
export interface CommitMemory {
  /** What these processes knew, as far as it is remembered. Never throws, and takes no longer than a few milliseconds. */
  recall(holders: readonly string[]): Promise<readonly KnownCommits[]>;
  /** Called after each commit. Must not take long, and may write later. */
  keep(known: KnownCommits): void;
}

/**
 * What was acknowledged to this process as committed, compared with what the database has. Each new connection is
 * checked before it is used for anything; once something is missing, everything but the work on {@link DatabaseCopies}
 * is refused as `SEALED`.
 */
export interface AcknowledgedCommits {
  readonly known: KnownCommits;
  /** Whose commits the database was found to lack; nobody's as long as it is complete. */
  readonly lacking: readonly string[];
  /** Also keeps what is known there, and asks it about other processes before a new connection is used. */
  rememberIn(memory: CommitMemory): void;
  /** Processes that committed something lately, the last one first. */
  recentHolders(): Promise<readonly string[]>;
  /** Whose commits of these the database lacks. Asks it and decides nothing. */
  lackingOf(known: readonly KnownCommits[]): Promise<readonly string[]>;
  /**
   * Checks again whether anything is missing, for callers that work through something that can change the server behind
   * a connection.
   */
  check(): Promise<void>;
  /** Calls the listener once, when something is found to be missing. */
  onBehind(listener: () => void): void;
}
