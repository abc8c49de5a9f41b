/** What was looked at, how it is, and what to do where something is wrong. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'skipped' | 'wrong';
  readonly message: string;
}
