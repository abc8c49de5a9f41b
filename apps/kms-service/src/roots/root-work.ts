import {
  bindTenants,
  checkRoots,
  completeWraps,
  type FailedWrap,
  isSweepDue,
  type Kms,
  operationOfService,
  type SweepLimits,
  type SweepReport,
  sweepResidentKeys,
} from '@qnsp/kms-core/internal';
import type { Logger } from '../http/logger.ts';

/** Every this many rounds, wraps that other nodes left out are looked for. */
const ROUNDS_BETWEEN_COMPLETIONS = 60;

/** How many tenants without a MAC get one in a round. */
const TENANTS_PER_ROUND = 20;

export interface HsmWorkOptions extends SweepLimits {
  readonly intervalMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
}

/** The work on roots and HSMs that is due again and again. */
export interface RootWork {
  /** One round. Throws when the store does not answer. */
  run(): Promise<void>;
  /** What the newest sweep found. */
  sweeps(): readonly SweepReport[];
}

/**
 * Looks after the roots, gives a root that was away the wraps that it lacks, gives tenants from before records of tenants had
 * a MAC such a MAC, and reconciles HSMs with the database.
 *
 * @param mayBind whether all nodes read records of tenants with a MAC
 */
export function makeRootWork(kms: Kms, log: Logger, options: HsmWorkOptions, mayBind: () => boolean): RootWork {
  const now = options.now ?? (() => performance.now());
  let round = 0;
  let before = kms.hierarchy.roots.status().map(({ state }) => state);
  let reports: readonly SweepReport[] = [];
  let sweptAt = -Infinity;
  let allAreBound = false;
  let nextBinding = 0;

  const lookAfterRoots = async (): Promise<void> => {
    await checkRoots(operationOfService(kms, 'checkRoots'));
    const states = kms.hierarchy.roots.status().map(({ state }) => state);
    const someoneIsBack = states.some((state, index) => state === 'ready' && before[index] !== 'ready');
    if (states.length > 1 && (someoneIsBack || round % ROUNDS_BETWEEN_COMPLETIONS === 0)) {
      const completed = await completeWraps(operationOfService(kms, 'completeWraps'));
      for (const { providerId: provider, added, failed } of completed) {
        if (added > 0) log.info({ provider, added }, 'wrapped master keys under a root that lacked them');
        const [away, closed] = [failed.filter(isAway), failed.filter((each) => !isAway(each))];
        if (away.length > 0)
          log.warn({ provider, waiting: away.length }, 'master keys are waiting for a root that is away');
        for (const { name, error } of closed)
          log.error({ provider, name, err: error }, 'a master key cannot be opened');
      }
    }
    before = states;
    round += 1;
  };

  const bindSomeTenants = async (): Promise<void> => {
    if (allAreBound || round < nextBinding || !mayBind()) return;
    const { bound, left } = await bindTenants(operationOfService(kms, 'bindTenants'), { limit: TENANTS_PER_ROUND });
    if (bound > 0) log.info({ bound, left }, 'gave records of tenants a MAC');
    allAreBound = left === 0;
    // Those that are left although it was tried wait for a root, or for somebody to mend them.
    nextBinding = bound > 0 ? round : round + ROUNDS_BETWEEN_COMPLETIONS;
  };

  const sweep = async (): Promise<void> => {
    if (kms.resident.length === 0) return;
    // An HSM that is away is not asked in each round for what it was left with.
    const mayBeEarly = now() >= sweptAt + Math.min(options.intervalMs, options.createLimitSeconds * 1000);
    if (
      now() < sweptAt + options.intervalMs &&
      !(mayBeEarly && (await isSweepDue(operationOfService(kms, 'sweepResidentKeys'), options)))
    )
      return;
    reports = await sweepResidentKeys(operationOfService(kms, 'sweepResidentKeys'), options);
    sweptAt = now();
    for (const report of reports) logSweep(log, report);
  };

  return {
    run: async () => {
      try {
        await lookAfterRoots();
        await bindSomeTenants();
      } finally {
        await sweep();
      }
    },
    sweeps: () => reports,
  };
}

function isAway({ error }: FailedWrap): boolean {
  return error.code === 'HSM_UNAVAILABLE' || error.code === 'SEALED';
}

function logSweep(
  log: Logger,
  { providerId: provider, destroyed, missing, failed, waiting, foreign }: SweepReport,
): void {
  if (destroyed.length > 0) log.warn({ provider, destroyed }, 'destroyed objects in the HSM that no key version names');
  if (missing.length > 0) log.error({ provider, missing }, 'key versions in use have no object in their HSM');
  if (waiting + foreign > 0) log.info({ provider, waiting, foreign }, 'objects in the HSM that no key version names');
  for (const { name, error } of failed) log.error({ provider, name, err: error }, 'an object in the HSM was skipped');
}
