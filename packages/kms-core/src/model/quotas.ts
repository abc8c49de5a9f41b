/** How many of each kind a tenant may have; 0 is any number. */
export interface Quotas {
  /** Keys that are not destroyed. */
  readonly keys: number;
  /** Versions of one key, destroyed ones included: they stay in its record. */
  readonly keyVersions: number;
  /** API tokens that were neither revoked nor replaced, and have not expired. */
  readonly tokens: number;
  /** Identity bindings that were not deleted. */
  readonly identityBindings: number;
  /** Operations that use a key, from the first of a month, in UTC, to that of the next. */
  readonly operationsPerMonth: number;
  /** Answers that are kept under idempotency keys, each for a day. */
  readonly keptAnswers: number;
}

/** What holds where nothing else is said. */
export const DEFAULT_QUOTAS: Quotas = {
  keys: 100_000,
  keyVersions: 1000,
  tokens: 10_000,
  identityBindings: 1000,
  operationsPerMonth: 0,
  keptAnswers: 100_000,
};

/** As the store takes it. */
export function atMost(quota: number): number | undefined {
  return quota === 0 ? undefined : quota;
}

/** How many identity bindings a tenant may have deleted, of which the records stay: 100 times as many as it may have. As the store takes it. */
export function removedBindingsAtMost({ identityBindings }: Quotas): number | undefined {
  return atMost(100 * identityBindings);
}
