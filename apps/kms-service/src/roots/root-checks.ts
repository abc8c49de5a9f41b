import type { KeyHierarchy, SweepReport } from '@qnsp/kms-core/internal';

/** One line of the health answer. */
interface Check {
  readonly status: 'ok' | 'degraded' | 'critical';
  readonly message?: string;
}

/** Degraded while a root is missing: one that answers is enough to serve. */
export function rootsCheck(hierarchy: KeyHierarchy): Check {
  const missing = hierarchy.roots.status().filter(({ state }) => state === 'away' || state === 'refused');
  if (missing.length === 0) return { status: 'ok' };
  return {
    status: 'degraded',
    message: missing.map(({ providerId, state }) => `${providerId} is ${state}`).join(', '),
  };
}

/** Degraded while keys have lost their objects, an HSM does not answer, or objects cannot be destroyed. */
export function residentKeysCheck(sweeps: readonly SweepReport[]): Check {
  const messages = sweeps.flatMap(({ providerId, answers, missing, failed }) => [
    ...(answers ? [] : [`${providerId} does not answer`]),
    ...(missing.length === 0 ? [] : [`${missing.length} key version(s) have no object in ${providerId}`]),
    ...(failed.length === 0 ? [] : [`${failed.length} object(s) in ${providerId} cannot be reconciled`]),
  ]);
  return messages.length === 0 ? { status: 'ok' } : { status: 'degraded', message: messages.join(', ') };
}

/** Degraded while no HSM gives random bytes: those of the operating system are used alone. */
export function randomCheck(isMissing: boolean): Check {
  return isMissing ? { status: 'degraded', message: 'no HSM provides sound random bytes' } : { status: 'ok' };
}
