import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { authorize, isAllowed } from '../src/access/evaluate-policy.ts';
import { checkPolicy } from '../src/bounds/check-policy.ts';
import { BOUNDS, newId, type PolicyDocument, type PolicyStatement } from '../src/exports/internal.ts';
import { callerOf } from './kms-fixture.ts';

const { policy: bounds } = BOUNDS;
const deny: PolicyStatement = { effect: 'deny', actions: ['*'], resources: ['*'] };
const many = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index));

const MEBIBYTE = Buffer.alloc(1024 * 1024);
/** Of the time that hashing one MiB takes, in which machines differ about as much as in this: 0.7 ms where it was measured. */
const MOST_WHEN_READ = 14;
const MOST_OF_A_CALL = 0.5;

/** A statement as often as the bound of the whole document lets it stand there. */
function filled(make: (index: number) => PolicyStatement): PolicyDocument {
  const statements: PolicyStatement[] = [];
  while (statements.length < bounds.statements) {
    statements.push(make(statements.length));
    if (JSON.stringify({ version: '1', statements }).length > bounds.totalCharacters)
      return { version: '1', statements: statements.slice(0, -1) };
  }
  return { version: '1', statements };
}

/** Each is the most of something that a policy may hold; none matches the caller, so that all of it is looked at. */
const WORST: Readonly<Record<string, PolicyDocument>> = {
  'the shortest addresses': filled((s) => ({ ...deny, conditions: { ip: many(64, (i) => `::${((s + i) % 8) + 2}`) } })),
  'blocks of IPv4': filled((s) => ({ ...deny, conditions: { ip: many(64, (i) => `10.${s}.${i}.0/24`) } })),
  'the longest addresses': filled((s) => ({
    ...deny,
    conditions: { ip: many(16, (i) => `2001:db8:1234:5678:9abc:def0:${1000 + s}:${1000 + i}/128`) },
  })),
  actions: filled(() => ({ ...deny, actions: many(64, (i) => (i % 2 === 0 ? 'k*' : '*')), conditions: { mfa: true } })),
  principals: filled((s) => ({ ...deny, principals: many(256, (i) => String(s * 7 + i)) })),
  resources: filled(() => ({ ...deny, resources: many(12, newId) })),
  statements: filled(() => ({ ...deny, conditions: { mfa: true, time: { notBefore: '2020-01-01T00:00:00Z' } } })),
};

/** The least of many times: what else the machine does only adds to it. */
function leastMs(times: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < times; index += 1) {
    const begun = performance.now();
    work();
    least = Math.min(least, performance.now() - begun);
  }
  return least;
}

describe.each(Object.entries(WORST))('a policy with as many as it may hold: %s', (name, policy) => {
  const caller = callerOf(newId(), 'tenant_admin');
  const keyId = newId();

  it('costs next to nothing for each call, and little when its record is read', () => {
    checkPolicy('policy', policy);
    const text = JSON.stringify(policy);
    expect(text.length).toBeGreaterThan(bounds.totalCharacters / 5);
    const first = leastMs(200, () => {
      const read: PolicyDocument = JSON.parse(text);
      expect(isAllowed(caller, 'kms:keys:read', { keyId, policy: read }, 0)).toBe(true);
    });
    const each = leastMs(50, () => authorize(caller, 'kms:encrypt', { keyId, policy }, 0));
    const hashing = leastMs(50, () => createHash('sha256').update(MEBIBYTE).digest());
    process.stdout.write(
      `${name}: ${text.length} characters, ${first.toFixed(2)} ms when read, ${(each * 1000).toFixed(0)} µs a call\n`,
    );
    expect(first / hashing).toBeLessThan(MOST_WHEN_READ);
    expect(each / hashing).toBeLessThan(MOST_OF_A_CALL);
  });
});
