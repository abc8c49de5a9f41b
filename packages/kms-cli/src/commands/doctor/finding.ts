/** What was checked, its state, and what to do if something is wrong. */
export interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'skipped' | 'wrong';
  readonly message: string;
}
