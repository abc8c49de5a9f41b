import { describe, expect, test } from 'vitest';
import {
  AUDIT_EVENT_TYPES,
  type CataloguedOperation,
  COST_CLASSES,
  CRYPTO_OPERATIONS,
  KEY_EVENT_TYPES,
  KEY_EVENTS,
  OPERATIONS,
  PERMISSIONS,
} from '../src/exports/internal.ts';

const ALL: readonly (readonly [string, CataloguedOperation])[] = Object.entries(OPERATIONS);

describe('the catalogue of operations', () => {
  test('has each way to use a key once, under its own permission and event', () => {
    const uses = ALL.flatMap(([, { crypto, permission, event, uses: what }]) =>
      crypto === undefined ? [] : [{ crypto, permission, event, what }],
    );
    expect(uses).toEqual(
      CRYPTO_OPERATIONS.map((crypto) => ({
        crypto,
        permission: `kms:${crypto}`,
        event: `kms.${crypto}`,
        what: 'key',
      })),
    );
  });

  test('has an operation for every permission but the one that stands for others', () => {
    const needed = new Set<string | null>(ALL.map(([, { permission }]) => permission));
    expect(PERMISSIONS.filter((permission) => !needed.has(permission))).toEqual(['kms:keys:use']);
  });

  test('has an operation for every event but those of steps and of starts, and for refusals', () => {
    const left = new Set<string | null>(ALL.map(([, { event }]) => event));
    expect(AUDIT_EVENT_TYPES.filter((type) => !left.has(type))).toEqual([
      'kms.key.condemned',
      'kms.key.destroyed',
      'kms.migration.planned',
      'kms.approval.requested',
      'kms.approval.refused',
      'kms.approval.withdrawn',
      'kms.approval.executed',
      'kms.audit.enabled',
      'kms.audit.disabled',
      'kms.fips.entered',
      'kms.access.denied',
    ]);
  });

  test('says of an operation that changes a key which event of the lifecycle it is, and leaves the event of that', () => {
    for (const [name, { lifecycle, event, changes, uses }] of ALL) {
      if (lifecycle === undefined) continue;
      expect([name, event, changes, uses]).toEqual([name, KEY_EVENT_TYPES[lifecycle], true, 'key']);
    }
    expect(Object.keys(KEY_EVENT_TYPES).sort()).toEqual([...KEY_EVENTS].sort());
  });

  test('does not call dear what changes nothing but takes key material from memory, nor cheap what writes', () => {
    for (const [name, { changes, cost, crypto }] of ALL) {
      expect(COST_CLASSES, name).toContain(cost);
      if (changes) expect(['write', 'slow'], name).toContain(cost);
      if (crypto !== undefined) expect([name, cost, changes]).toEqual([name, 'memory', false]);
    }
  });
});
