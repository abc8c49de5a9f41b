import { isAddressBlock } from '../access/address-set.ts';
import { PERMISSIONS } from '../access/permissions.ts';
import type { PolicyConditions, PolicyDocument, PolicyStatement } from '../model/policy-document.ts';
import { badRequest } from '../errors/kms-error.ts';
import { isUuid } from '../model/identifiers.ts';
import { BOUNDS } from './bounds.ts';
import { checkBoolean, checkInstant, checkLine, checkOneOf } from './check-values.ts';

const bounds = BOUNDS.policy;

/** RFC 3339, with a time zone: without one every machine would read another instant. */
const INSTANT = /^\d{4}-\d\d-\d\dt\d\d:\d\d:\d\d(?:\.\d+)?(?:z|[+-]\d\d:\d\d)$/i;

/** A policy document. Throws `BAD_REQUEST` with the path of what is wrong, below the given one. */
export function checkPolicy(path: string, policy: PolicyDocument): void {
  if (typeof policy !== 'object' || policy === null) throw badRequest(path, 'must be a policy document');
  checkMembers(path, policy, ['version', 'statements']);
  checkOneOf(`${path}.version`, policy.version, ['1']);
  checkList(`${path}.statements`, policy.statements, 0, bounds.statements);
  for (const [index, statement] of policy.statements.entries())
    checkStatement(`${path}.statements.${index}`, statement);
  // Last, where nothing in it can still be circular or of another type.
  if (JSON.stringify(policy).length > bounds.totalCharacters)
    throw badRequest(path, `must be at most ${bounds.totalCharacters} characters of JSON`);
}

function checkStatement(path: string, statement: PolicyStatement): void {
  if (typeof statement !== 'object' || statement === null) throw badRequest(path, 'must be a statement');
  checkMembers(path, statement, ['effect', 'actions', 'resources', 'principals', 'conditions']);
  const { effect, actions, resources, principals, conditions } = statement;
  checkOneOf(`${path}.effect`, effect, ['allow', 'deny']);
  checkEach(`${path}.actions`, actions, bounds.actions, (one, action) => {
    if (!isAction(action)) throw badRequest(one, 'must be a permission, or the beginning of one followed by *');
  });
  checkEach(`${path}.resources`, resources, bounds.resources, (one, resource) => {
    if (resource !== '*' && !isUuid(resource)) throw badRequest(one, 'must be a key id or *');
  });
  if (principals !== undefined)
    checkEach(`${path}.principals`, principals, bounds.principals, (one, principal) =>
      checkLine(one, principal, BOUNDS.subjectCharacters),
    );
  if (conditions !== undefined) checkConditions(`${path}.conditions`, conditions);
}

/** An action that covers no permission would silently never match. */
function isAction(text: string): boolean {
  if (typeof text !== 'string') return false;
  if (!text.endsWith('*')) return PERMISSIONS.some((permission) => permission === text);
  return PERMISSIONS.some((permission) => permission.startsWith(text.slice(0, -1)));
}

function checkConditions(path: string, conditions: PolicyConditions): void {
  if (typeof conditions !== 'object' || conditions === null) throw badRequest(path, 'must be an object');
  checkMembers(path, conditions, ['tenant', 'ip', 'time', 'mfa']);
  const { tenant, ip, time, mfa } = conditions;
  if (tenant !== undefined)
    checkEach(`${path}.tenant`, tenant, bounds.tenants, (one, id) => {
      if (!isUuid(id)) throw badRequest(one, 'must be a UUID');
    });
  if (ip !== undefined)
    checkEach(`${path}.ip`, ip, bounds.addresses, (one, block) => {
      if (!isAddressBlock(block)) throw badRequest(one, 'must be an IP address or a CIDR block');
    });
  if (mfa !== undefined) checkBoolean(`${path}.mfa`, mfa);
  if (time !== undefined) checkTime(`${path}.time`, time);
}

function checkTime(path: string, time: NonNullable<PolicyConditions['time']>): void {
  if (typeof time !== 'object' || time === null) throw badRequest(path, 'must be an object');
  checkMembers(path, time, ['notBefore', 'notAfter']);
  const { notBefore, notAfter } = time;
  if (notBefore !== undefined) checkInstantText(`${path}.notBefore`, notBefore);
  if (notAfter !== undefined) checkInstantText(`${path}.notAfter`, notAfter);
  if (notBefore !== undefined && notAfter !== undefined && Date.parse(notBefore) >= Date.parse(notAfter))
    throw badRequest(path, 'notBefore must be before notAfter');
}

function checkInstantText(path: string, text: string): void {
  if (typeof text !== 'string' || !INSTANT.test(text)) throw badRequest(path, 'must be an RFC 3339 instant');
  checkInstant(path, new Date(text));
}

/** A restriction under a name that nobody knows would silently not hold. */
function checkMembers(path: string, object: object, known: readonly string[]): void {
  for (const name of Object.keys(object)) if (!known.includes(name)) throw badRequest(`${path}.${name}`, 'is unknown');
}

function checkEach(
  path: string,
  list: readonly string[],
  maximum: number,
  check: (path: string, item: string) => void,
): void {
  checkList(path, list, 1, maximum);
  for (const [index, item] of list.entries()) {
    if (typeof item !== 'string') throw badRequest(`${path}.${index}`, 'must be text');
    check(`${path}.${index}`, item);
  }
}

function checkList(path: string, list: readonly unknown[], minimum: number, maximum: number): void {
  if (!Array.isArray(list)) throw badRequest(path, 'must be a list');
  if (list.length < minimum || list.length > maximum)
    throw badRequest(path, `must have ${minimum} to ${maximum} items`);
}
