/** One process of a fleet, as it said of itself. */
export interface FleetNode {
  readonly nodeId: string;
  readonly version: string;
  /** What nodes of one fleet should agree on, by the names of the settings. Holds no secret. */
  readonly settings: Readonly<Record<string, string>>;
  readonly startedAt: Date;
}

/** The processes that work on one database, so that they can be held against each other. */
export interface FleetNodes {
  /**
   * Says that this process is there, for so long without being said again, unless it may not be beside the others. Nobody else
   * joins meanwhile, so that of two that do not get on one sees the other.
   *
   * @returns the others that are there
   */
  join(
    node: Omit<FleetNode, 'startedAt'>,
    forMs: number,
    mayJoin: (others: readonly FleetNode[]) => boolean,
  ): Promise<readonly FleetNode[]>;
  /** Says once more that this process is there. Answers the others. */
  renew(nodeId: string, forMs: number): Promise<readonly FleetNode[]>;
  /** Says that this process is there no longer. */
  leave(nodeId: string): Promise<void>;
}
