/** What was checked, its state, and what to do if something is wrong. */
export interface Finding {
  readonly check: string;
  /** A warning is something to know, which may be as it should be. */
  readonly status: 'ok' | 'skipped' | 'warning' | 'wrong';
  readonly message: string;
}
