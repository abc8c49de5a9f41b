import assert from 'node:assert/strict';
import { comparable } from './store-samples.ts';

/** Checks some members of something, whatever others it has. */
export function assertMembers(actual: unknown, expected: Readonly<Record<string, unknown>>): void {
  if (typeof actual !== 'object' || actual === null) assert.fail(`it is ${String(actual)}`);
  const found = Object.fromEntries(Object.keys(expected).map((name) => [name, Reflect.get(actual, name)]));
  assert.deepEqual(comparable(found), comparable(expected));
}
