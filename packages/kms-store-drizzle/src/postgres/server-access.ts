import type { CommitMarks } from '../commits/commit-marks.ts';
import type { Connection } from './connection.ts';
import type { UnitConnection, UnitConnections } from './unit-connection.ts';

/** How the driver reaches its server. */
export interface ServerAccess {
  /** What was acknowledged to this process as committed. */
  readonly marks: CommitMarks;
  readonly connections: UnitConnections;
  /** Lends a connection without a limit of time, on which nothing is counted. */
  asOwner<T>(work: (connection: UnitConnection) => Promise<T>): Promise<T>;
  /** A dedicated connection for notifications. */
  listener(onNotify: (channel: string, payload: string) => void): Connection;
  /** A dedicated connection by the path that changes take. */
  sender(): Connection;
}

/** The server gives up a little before the client does, so that a busy database says so and the connection survives. */
const SERVER_SHARE = 0.9;

/** Connections come and go, and an abandoned one may hold the row of its slot for a while. */
export const SLOTS_PER_CONNECTION = 4;

export function serverTimeoutOf(limitMs: number): number {
  return Math.max(1, Math.floor(limitMs * SERVER_SHARE));
}
