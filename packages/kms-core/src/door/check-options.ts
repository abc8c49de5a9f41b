import { BOUNDS } from '../bounds/bounds.ts';
import { checkBoolean, checkInstant, checkInteger } from '../bounds/check-values.ts';
import { badRequest } from '../errors/kms-error.ts';
import { DEFAULT_QUOTAS } from '../model/quotas.ts';
import type { OpenKmsOptions } from './open-kms-options.ts';

const NAMES: Readonly<Record<keyof OpenKmsOptions, true>> = {
  storage: true,
  roots: true,
  alert: true,
  cache: true,
  evidence: true,
  schedule: true,
  verifiers: true,
  resident: true,
  makeRoot: true,
  jobs: true,
  random: true,
  defaultAlgorithm: true,
  quotas: true,
  tenantRate: true,
  destroyGuardDays: true,
  requireApproval: true,
  credentialLifetimeSeconds: true,
  requireFips: true,
  legacyRead: true,
  cryptoPolicy: true,
  acceptRestoredCopy: true,
  supervised: true,
};
const FUNCTIONS = ['cache', 'evidence', 'makeRoot', 'random'] as const;
const LISTS = ['verifiers', 'resident'] as const;
const ROOT_METHODS = ['wrap', 'unwrap', 'checkValue'] as const;
/** A timer that is to wait for longer does not wait at all. */
const LONGEST_PAUSE_MS = 2 ** 31 - 1;

/**
 * Checks what a KMS is opened with, as far as that can be known at once: what is wrong and found out later is a key that nobody rotates.
 * Throws `BAD_REQUEST` with the name of the option.
 */
export function checkOptions(options: OpenKmsOptions): void {
  // An option that is misspelt would be left out, evidence as well.
  for (const name of Object.keys(options)) if (!Object.hasOwn(NAMES, name)) throw badRequest(name, 'is no option');
  if (typeof options.alert !== 'function') throw badRequest('alert', 'must be a function');
  for (const name of FUNCTIONS)
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw badRequest(name, 'must be a function');
  for (const name of LISTS)
    if (options[name] !== undefined && !Array.isArray(options[name])) throw badRequest(name, 'must be a list');
  checkRoots(options.roots);
  checkSchedule(options.schedule);
  checkQuotas(options.quotas);
  const { credentialLifetimeSeconds, requireFips, legacyRead, acceptRestoredCopy } = options;
  for (const name of ['destroyGuardDays', 'requireApproval'] as const) {
    const { minimum, maximum } = BOUNDS[name];
    const number = options[name];
    if (number !== undefined) checkInteger(name, number, minimum, maximum);
  }
  if (credentialLifetimeSeconds !== undefined)
    checkInteger('credentialLifetimeSeconds', credentialLifetimeSeconds, 1, BOUNDS.identity.lifetimeSeconds);
  if (requireFips !== undefined) checkBoolean('requireFips', requireFips);
  if (legacyRead !== undefined) checkBoolean('legacyRead', legacyRead);
  if (acceptRestoredCopy !== undefined) checkInstant('acceptRestoredCopy', acceptRestoredCopy);
}

function checkRoots(roots: OpenKmsOptions['roots']): void {
  const all: readonly unknown[] = [roots].flat();
  if (all.length === 0) throw badRequest('roots', 'at least one root is needed');
  for (const root of all)
    if (typeof root !== 'object' || root === null || ROOT_METHODS.some((name) => !isMethod(root, name)))
      throw badRequest('roots', 'must be a root provider, or several');
}

function isMethod(object: object, name: string): boolean {
  return typeof Reflect.get(object, name) === 'function';
}

function checkSchedule(schedule: OpenKmsOptions['schedule']): void {
  if (schedule === undefined) return;
  if (typeof schedule !== 'object' || schedule === null) throw badRequest('schedule', 'must be an object');
  const { intervalMs, tokenRetentionSeconds, masterKeyRotationDays, report } = schedule;
  if (typeof report !== 'function') throw badRequest('schedule.report', 'must be a function');
  if (intervalMs !== undefined) checkInteger('schedule.intervalMs', intervalMs, 1, LONGEST_PAUSE_MS);
  const { minimum, maximum } = BOUNDS.retentionSeconds;
  if (tokenRetentionSeconds !== undefined)
    checkInteger('schedule.tokenRetentionSeconds', tokenRetentionSeconds, minimum, maximum);
  if (masterKeyRotationDays !== undefined)
    checkInteger('schedule.masterKeyRotationDays', masterKeyRotationDays, 0, BOUNDS.masterKeyDays);
}

function checkQuotas(quotas: OpenKmsOptions['quotas']): void {
  if (quotas === undefined) return;
  if (typeof quotas !== 'object' || quotas === null) throw badRequest('quotas', 'must be an object');
  for (const [name, quota] of Object.entries(quotas)) {
    if (!Object.hasOwn(DEFAULT_QUOTAS, name)) throw badRequest(`quotas.${name}`, 'is no quota');
    checkInteger(`quotas.${name}`, quota, BOUNDS.quota.minimum, BOUNDS.quota.maximum);
  }
}
