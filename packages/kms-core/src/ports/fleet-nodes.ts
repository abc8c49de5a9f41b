/** One process of a fleet, as it said of itself. */
export interface FleetNode {
  readonly nodeId: string;
  readonly version: string;
  /** What nodes of one fleet should agree on, by the names of the settings. Holds no secret. */
  readonly settings: Readonly<Record<string, string>>;
  readonly startedAt: Date;
}

/** The processes that work on one database, so that they can be compared with each other. An adapter for one process has none. */
export interface FleetNodes {
  /**
   * Announces this process, for this long without a renewal, unless it may not run beside the others. Nobody else joins
   * at the same time, so that of two incompatible ones, one sees the other.
   *
   * @returns the others that are there
   */
  join(
    node: Omit<FleetNode, 'startedAt'>,
    forMs: number,
    mayJoin: (others: readonly FleetNode[]) => boolean,
  ): Promise<readonly FleetNode[]>;
  /** Announces this process again, with what it says of itself now, even when it counted as gone in between. Returns the others. */
  renew(node: Omit<FleetNode, 'startedAt'>, forMs: number): Promise<readonly FleetNode[]>;
  /** Says that this process is there no longer. */
  leave(nodeId: string): Promise<void>;
}
