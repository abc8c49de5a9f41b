const SECONDS_PER_DAY = 86_400;

/** A duration as RFC 3339 appendix A (ISO 8601) writes it: in days where it is whole days, else in seconds. */
export function formatDuration(seconds: number): string {
  return seconds % SECONDS_PER_DAY === 0 ? `P${seconds / SECONDS_PER_DAY}D` : `PT${seconds}S`;
}
