import { isIP } from 'node:net';
import type { Caller } from '../access/caller.ts';
import { PERMISSIONS, type Permission, type Role, ROLES } from '../access/permissions.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { PresentedCredentials } from '../ports/credential-verifier.ts';
import { BOUNDS } from './bounds.ts';
import { checkBoolean, checkId, checkOneOf } from './check-values.ts';

/**
 * Who calls, as an application says it. All of it goes into evidence as it is: an event that is none would stop the chain of its tenant.
 * Throws `BAD_REQUEST`.
 */
export function checkCaller(caller: Caller): void {
  if (!isObject(caller)) throw badRequest('caller', 'must be a caller');
  const { tenantId, subject, permissions, attributes } = caller;
  checkId('tenantId', tenantId);
  checkText('subject', subject, BOUNDS.caller.subjectCharacters, 1);
  // By what it can do, not its class: a set of another realm is one too.
  if (typeof permissions?.has !== 'function') throw badRequest('permissions', 'must be a set of permissions');
  if (!isObject(attributes)) throw badRequest('attributes', 'must be an object');
  checkIp(attributes.ip);
  checkBoolean('mfa', attributes.mfa);
}

/** A role and permissions that there are: one that is misspelt would give nothing. Throws `BAD_REQUEST`. */
export function checkGrants(role: Role | undefined, permissions: readonly Permission[]): void {
  if (role !== undefined) checkOneOf('role', role, ROLES);
  if (!Array.isArray(permissions)) throw badRequest('permissions', 'must be a list');
  for (const [index, permission] of permissions.entries()) checkOneOf(`permissions.${index}`, permission, PERMISSIONS);
}

/** What is known of a call, which goes into its evidence. Throws `BAD_REQUEST`. */
export function checkFacts(
  facts: Readonly<Record<'requestId' | 'userAgent', string | null> & { source: string }>,
): void {
  const { requestId, userAgent, source } = facts;
  const maximum = BOUNDS.caller.factCharacters;
  if (requestId !== null) checkText('requestId', requestId, maximum);
  if (userAgent !== null) checkText('userAgent', userAgent, maximum);
  checkText('source', source, maximum);
}

/** What somebody presents, and from where, as an application says it: refusals of it go into evidence. Throws `BAD_REQUEST`. */
export function checkPresented(
  presented: PresentedCredentials,
  presenter: { readonly tenantId?: TenantId; readonly ip?: string | null; readonly requestId?: string | null },
): void {
  if (!isObject(presented)) throw badRequest('credentials', 'must be an object');
  if (presented.bearer !== undefined && typeof presented.bearer !== 'string')
    throw badRequest('bearer', 'must be text');
  if (!isObject(presenter)) throw badRequest('presenter', 'must be an object');
  const { tenantId, ip = null, requestId = null } = presenter;
  if (tenantId !== undefined) checkId('tenantId', tenantId);
  checkIp(ip);
  if (requestId !== null) checkText('requestId', requestId, BOUNDS.caller.factCharacters);
}

/** An address that is none would be outside of whatever a policy denies. */
function checkIp(ip: string | null): void {
  if (ip === null || (typeof ip === 'string' && isIP(ip) !== 0)) return;
  throw badRequest('ip', 'must be an IP address, or null where it is not known');
}

function checkText(path: string, text: string, maximum: number, minimum = 0): void {
  if (typeof text !== 'string') throw badRequest(path, 'must be text');
  if (text.length < minimum || text.length > maximum)
    throw badRequest(path, `must have ${minimum} to ${maximum} characters`);
  if (!text.isWellFormed() || text.includes('\0')) throw badRequest(path, 'must be well-formed Unicode without U+0000');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
