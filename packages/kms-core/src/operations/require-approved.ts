import type { Algorithm } from '../algorithms/registry.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { Kms } from './kms.ts';

/** Refuses algorithms that are not approved where the service must run in FIPS mode. */
export function requireApproved(kms: Kms, algorithm: Algorithm): void {
  if (!kms.settings.requireFips || algorithm.fipsApproved) return;
  throw badRequest('algorithm', `${algorithm.standardName} is not approved for FIPS mode, in which this service runs`);
}
