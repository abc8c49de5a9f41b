import type { AccessLog } from './access-log.ts';

/** The two ways into the one log. */
export interface EdgeLogs {
  readonly log: {
    error(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
  /** For the line that a request leaves. */
  readonly access: AccessLog;
}
