import type { Issue, RotationInput } from '@qnsp/kms-core';
import { formatDuration } from '@qnsp/kms-core/internal';
import type { ContractSettings } from '../route/route.ts';

/** The rule that a deployment sets for rotation: no more often than its lower bound. */
export function rotationIssues(
  body: { readonly rotation?: RotationInput },
  { minimumRotationSeconds }: ContractSettings,
): readonly Issue[] {
  const periodSeconds = body.rotation?.periodSeconds ?? null;
  if (periodSeconds === null || periodSeconds >= minimumRotationSeconds) return [];
  return [{ path: 'rotation.rotationPeriod', reason: `must be at least ${formatDuration(minimumRotationSeconds)}` }];
}
