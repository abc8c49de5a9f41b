import type { StoreClock } from '@qnsp/kms-core/ports';

/** From so far apart on an operator should look. */
const WORTH_A_LOOK_MS = 2000;

/** How far the clock of this machine is from the database's, by which everything that expires is judged. */
export interface ClockSkew {
  /** What `/health` says; nothing when there is one clock only. */
  check(): { readonly status: 'ok' | 'degraded' | 'critical'; readonly message?: string } | undefined;
  /** Why nothing is served, when the clocks are further apart than the operator lets them be; absent without a limit. Cheap. */
  readonly refusal: (() => string | undefined) | undefined;
}

/** @param limitSeconds how far apart the clocks may be; 0 means no limit */
export function makeClockSkew(clock: StoreClock | undefined, limitSeconds: number): ClockSkew {
  const limitMs = limitSeconds * 1000;
  const refusal =
    clock === undefined || limitSeconds === 0
      ? undefined
      : () =>
          Math.abs(clock.measuredSkewMs) > limitMs
            ? 'The clocks of the service and its database are too far apart.'
            : undefined;
  return {
    check() {
      const aheadMs = clock?.machineAheadMs();
      if (aheadMs === undefined) return undefined;
      if (refusal?.() !== undefined) return { status: 'critical', message: describeSkew(aheadMs) };
      return Math.abs(aheadMs) > WORTH_A_LOOK_MS
        ? { status: 'degraded', message: describeSkew(aheadMs) }
        : { status: 'ok' };
    },
    refusal,
  };
}

/** What to say of clocks that differ, `undefined` when they agree well enough. */
export function skewProblem(aheadMs: number): string | undefined {
  return Math.abs(aheadMs) > WORTH_A_LOOK_MS ? describeSkew(aheadMs) : undefined;
}

function describeSkew(aheadMs: number): string {
  const seconds = Math.round(Math.abs(aheadMs) / 100) / 10;
  return `the clock of this machine is ${seconds} s ${aheadMs < 0 ? 'behind' : 'ahead of'} the database's: synchronise both with NTP`;
}
