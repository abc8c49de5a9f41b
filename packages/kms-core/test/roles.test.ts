import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  effectivePermissions,
  PERMISSIONS,
  type Permission,
  ROLE_PERMISSIONS,
  ROLES,
} from '../src/access/permissions.ts';
import { coveredBy } from '../src/access/covered-permissions.ts';

/** Who holds what, decided by people: nothing here is taken from the code. P, T, K, U and A are the roles in their order. */
const HELD = {
  'kms:keys:create': 'PTK',
  'kms:keys:read': 'PTKUA',
  'kms:keys:use': 'PTU',
  'kms:keys:update': 'PTK',
  'kms:keys:rotate': 'PTK',
  'kms:keys:delete': 'PTK',
  'kms:keys:import': 'PTK',
  'kms:keys:policy': 'PTK',
  'kms:keys:migrate': 'PTK',
  'kms:random': 'PTKU',
  'kms:tokens:manage': 'PT',
  'kms:identity-bindings:manage': 'PT',
  'kms:approvals:read': 'PTKA',
  'kms:approvals:decide': 'PT',
  'kms:audit:read': 'PTA',
  'kms:tenants:read': 'PTA',
  'kms:tenants:rotate': 'PT',
  'kms:tenants:shred': 'PT',
  'kms:tenants:manage': 'P',
  'kms:encrypt': 'PTU',
  'kms:decrypt': 'PTU',
  'kms:reencrypt': 'PTU',
  'kms:sign': 'PTU',
  'kms:verify': 'PTU',
  'kms:wrap': 'PTU',
  'kms:unwrap': 'PTU',
  'kms:data-key': 'PTU',
  'kms:mac': 'PTU',
  'kms:mac-verify': 'PTU',
  'kms:encapsulate': 'PTU',
  'kms:decapsulate': 'PTU',
  'kms:derive': 'PTU',
} as const satisfies Record<Permission, string>;

const LETTERS = { platform_admin: 'P', tenant_admin: 'T', key_admin: 'K', key_user: 'U', auditor: 'A' } as const;

/** What `kms:keys:use` stands for. */
const USES = [
  'kms:encrypt',
  'kms:decrypt',
  'kms:reencrypt',
  'kms:sign',
  'kms:verify',
  'kms:wrap',
  'kms:unwrap',
  'kms:data-key',
  'kms:mac',
  'kms:mac-verify',
  'kms:encapsulate',
  'kms:decapsulate',
  'kms:derive',
];

const heldBy = (letter: string) => Object.keys(HELD).filter((name) => HELD[name as Permission].includes(letter));
const sorted = (names: Iterable<string>) => [...names].sort();

describe('each permission is held by the roles that it was given to by hand', () => {
  test('every permission there is stands in the table', () => {
    expect(sorted(PERMISSIONS)).toEqual(sorted(Object.keys(HELD)));
    expect(Object.keys(LETTERS)).toEqual(ROLES);
  });

  test.each(ROLES)('%s holds what the table says, as a role and as the role of a credential', (role) => {
    expect(sorted(ROLE_PERMISSIONS[role])).toEqual(sorted(heldBy(LETTERS[role])));
    expect(sorted(effectivePermissions(role, []))).toEqual(sorted(heldBy(LETTERS[role])));
  });

  test('kms:keys:use stands for the listed operations, in a credential and in a policy', () => {
    expect(sorted(effectivePermissions(null, ['kms:keys:use']))).toEqual(sorted(['kms:keys:use', ...USES]));
    expect(sorted(coveredBy(['kms:keys:use']))).toEqual(sorted(['kms:keys:use', ...USES]));
  });
});

describe('docs/roles.md', () => {
  const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'roles.md'), 'utf8');
  const [head = [], , ...rows] = page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

  test('its table says of every permission which roles hold it', () => {
    expect(head).toEqual(['permission', 'allows', ...ROLES]);
    expect(rows.map(([permission, , ...cells]) => [permission, ...cells])).toEqual(
      PERMISSIONS.map((permission) => [
        `\`${permission}\``,
        ...ROLES.map((role) => (ROLE_PERMISSIONS[role].has(permission) ? 'yes' : 'no')),
      ]),
    );
  });

  test('it marks what kms:keys:use stands for, and says of every permission what it allows', () => {
    const marked = rows.filter(([, allows]) => allows?.startsWith('use of a key: ')).map(([permission]) => permission);
    expect(sorted(marked.map((cell) => cell?.replaceAll('`', '') ?? ''))).toEqual(sorted(USES));
    for (const [permission, allows = ''] of rows) expect(allows.length, permission).toBeGreaterThan(5);
  });
});
