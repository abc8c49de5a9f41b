import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAllowed } from '../src/access/evaluate-policy.ts';
import { checkPolicy } from '../src/bounds/check-policy.ts';
import {
  type Caller,
  effectivePermissions,
  newId,
  type Permission,
  PERMISSIONS,
  type PolicyConditions,
  type PolicyDocument,
  type PolicyStatement,
  ROLES,
} from '../src/exports/internal.ts';

const KEYS = [newId(), newId()];
const TENANTS = [newId(), newId()];
const SUBJECTS = ['ann', 'bob'];
const ADDRESSES = ['10.1.2.3', '10.1.3.3', '::1', '::ffff:10.1.2.3', '2001:db8::7'];
const BLOCKS = ['10.1.2.0/24', '10.1.2.3', '10.0.0.0/8', '::/0', '::1/128', '2001:db8::/32', '0.0.0.0/0'];
const INSTANTS = ['2026-01-01T00:00:00Z', '2026-06-01T02:00:00+02:00', '2027-01-01T00:00:00.000Z'];

/** The same id in another spelling. */
const spelt = (ids: readonly string[]) => fc.constantFrom(...ids, ...ids.map((id) => id.toUpperCase()));
const listOf = <T>(item: fc.Arbitrary<T>) => fc.array(item, { minLength: 1, maxLength: 3 });
const maybe = <T>(item: fc.Arbitrary<T>) => fc.option(item, { nil: undefined, freq: 2 });
/** Without the members that are not there. */
const present = (value: object) =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));

const conditions = fc
  .record({
    tenant: maybe(listOf(spelt(TENANTS))),
    ip: maybe(listOf(fc.constantFrom(...BLOCKS))),
    mfa: maybe(fc.boolean()),
    time: maybe(
      fc
        .constantFrom(
          { notBefore: INSTANTS[0] },
          { notAfter: INSTANTS[1] },
          { notBefore: INSTANTS[1], notAfter: INSTANTS[2] },
        )
        .map(present),
    ),
  })
  .map((value) => present(value) as PolicyConditions);
const action = fc.oneof(
  fc.constantFrom(...PERMISSIONS, '*', 'kms:*', 'kms:keys:*', 'kms:keys:u*', 'kms:keys:use*', 'kms:e*', 'kms:keys:use'),
);
const statement = fc
  .record({
    effect: fc.constantFrom<PolicyStatement['effect']>('allow', 'deny'),
    actions: listOf(action),
    resources: listOf(fc.oneof(spelt(KEYS), fc.constant('*'))),
    principals: maybe(listOf(fc.constantFrom(...SUBJECTS, '*'))),
    conditions: maybe(conditions),
  })
  .map((value) => present(value) as PolicyStatement);
const document = fc
  .array(statement, { maxLength: 5 })
  .map((statements): PolicyDocument => ({ version: '1', statements }));

const caller = fc.record({
  tenantId: fc.constantFrom(...TENANTS),
  subject: fc.constantFrom(...SUBJECTS),
  permissions: fc.constantFrom(...ROLES).map((role) => effectivePermissions(role, [])),
  attributes: fc.record({ ip: fc.constantFrom(null, ...ADDRESSES), mfa: fc.boolean() }),
});
const now = fc.constantFrom(...INSTANTS).chain((text) => fc.constantFrom(-1, 0, 1).map((ms) => Date.parse(text) + ms));

/** What a policy says, statement by statement: a slow reading of what is documented. */
function said(policy: PolicyDocument, who: Caller, permission: Permission, keyId: string, at: number): boolean {
  const matching = policy.statements.filter(
    ({ actions, resources, principals = ['*'], conditions: all = {} }) =>
      actions.some((one) => isCovered(one, permission)) &&
      resources.some((one) => one === '*' || one.toLowerCase() === keyId) &&
      principals.some((one) => one === '*' || one === who.subject) &&
      areMet(all, who, at),
  );
  const holds = who.permissions.has(permission);
  if (!matching.some(({ effect }) => effect === 'deny')) return holds || matching.length > 0;
  const tenantAdmin = [...effectivePermissions('tenant_admin', [])];
  return (
    ['kms:keys:policy', 'kms:keys:delete'].includes(permission) && tenantAdmin.every((one) => who.permissions.has(one))
  );
}

function isCovered(one: string, permission: Permission): boolean {
  const isUse = effectivePermissions(null, ['kms:keys:use']).has(permission);
  const names = isUse ? [permission, 'kms:keys:use'] : [permission];
  return names.some((name) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one));
}

function areMet({ tenant, ip, mfa, time }: PolicyConditions, { tenantId, attributes }: Caller, at: number): boolean {
  const known = new BlockList();
  for (const block of ip ?? []) {
    const [base = '', prefix = isIP(base) === 4 ? '32' : '128'] = block.split('/');
    known.addSubnet(base, Number(prefix), isIP(base) === 4 ? 'ipv4' : 'ipv6');
  }
  const from = attributes.ip;
  return (
    (tenant === undefined || tenant.some((one) => one.toLowerCase() === tenantId)) &&
    (ip === undefined || (from !== null && known.check(from, isIP(from) === 4 ? 'ipv4' : 'ipv6'))) &&
    (mfa === undefined || mfa === attributes.mfa) &&
    (time?.notBefore === undefined || at >= Date.parse(time.notBefore)) &&
    (time?.notAfter === undefined || at < Date.parse(time.notAfter))
  );
}

test('a policy that was compiled decides as its statements say', () => {
  fc.assert(
    fc.property(
      document,
      caller,
      fc.constantFrom(...PERMISSIONS),
      fc.constantFrom(...KEYS),
      now,
      (policy, who, permission, keyId, at) => {
        checkPolicy('policy', policy);
        // Twice: the second time it is held.
        for (const _ of [1, 2])
          expect(isAllowed(who, permission, { keyId, policy }, at)).toBe(said(policy, who, permission, keyId, at));
      },
    ),
    { numRuns: 5000 },
  );
});
