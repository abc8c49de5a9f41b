import { KmsError } from './kms-error.ts';

/** What a tenant may have so many of, by the names by which errors say it. */
export type QuotaKind =
  | 'keys'
  | 'keyVersions'
  | 'tokens'
  | 'identityBindings'
  | 'removedIdentityBindings'
  | 'identityDenials'
  | 'operationsPerMonth'
  | 'approvals';

const MESSAGES: Readonly<Record<QuotaKind, (used: number, maximum: number) => string>> = {
  keys: (used, maximum) =>
    `The tenant has ${used} keys of at most ${maximum}. Destroy those that are not needed, or have the operator of the service raise its limit.`,
  keyVersions: (used, maximum) =>
    `The key has ${used} versions of at most ${maximum}. Create another key, or have the operator of the service raise the limit of the tenant.`,
  tokens: (used, maximum) =>
    `The tenant has ${used} API tokens of at most ${maximum}. Revoke those that are not needed, or have the operator of the service raise its limit.`,
  identityBindings: (used, maximum) =>
    `The tenant has ${used} identity bindings of at most ${maximum}. Delete those that are not needed, or match with * instead.`,
  removedIdentityBindings: (used, maximum) =>
    `The tenant has deleted ${used} identity bindings of at most ${maximum}, whose records stay. Match with * instead of making bindings for each workload, or have the operator of the service raise its limit of identity bindings.`,
  identityDenials: (used, maximum) =>
    `The tenant has ${used} denials of at most ${maximum} that have not ended. Delete the identity binding instead.`,
  approvals: (used, maximum) =>
    `The tenant has ${used} requests of at most ${maximum} that wait for approvals. Approve, refuse or withdraw some of them.`,
  operationsPerMonth: (used, maximum) =>
    `The tenant has done ${used} operations this month of at most ${maximum}. Wait for the first of the next month, in UTC, or have the operator of the service raise its limit.`,
};

/** The error for one more of what a tenant already has as many of as it may; `details` name the kind as `limit`, `maximum` and `used`. */
export function quotaExceeded(limit: QuotaKind, maximum: number, used: number): KmsError {
  return new KmsError('QUOTA_EXCEEDED', MESSAGES[limit](used, maximum), { details: { limit, maximum, used } });
}

/** Refuses one more of what a tenant already has as many of as there is room for; see {@link quotaExceeded}. */
export function requireRoom(limit: QuotaKind, used: number, atMost: number | undefined): void {
  if (atMost !== undefined && used >= atMost) throw quotaExceeded(limit, atMost, used);
}
