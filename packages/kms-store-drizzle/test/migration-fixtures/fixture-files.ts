import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '@qnsp/kms-core/ports';
import { comparable, scopeOf, SYSTEM } from '@qnsp/kms-core/testing';
import type { Uses } from './fill-database.ts';

/** What must come out of the rows of a fixture, whatever migrations came after it. */
export interface Fixture {
  /** The root key of this fixture alone, in base64. */
  readonly rootKey: string;
  readonly uses: Uses;
  readonly records: Records;
}

/** Every record that the store answers, as plain values. */
export interface Records {
  readonly tenants: unknown;
  readonly wraps: unknown;
  readonly roots: unknown;
  readonly tokens: unknown;
  readonly keys: unknown;
}

/** The names of all migrations, the oldest first. */
export function migrationTags(): readonly string[] {
  const journal = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../migrations/meta/_journal.json'), 'utf8'),
  ) as { readonly entries: readonly { readonly tag: string }[] };
  return journal.entries.map(({ tag }) => tag);
}

/** The rows of a database at a migration. */
export function rowsFile(tag: string): string {
  return join(import.meta.dirname, `${tag}.sql`);
}

export function expectedFile(tag: string): string {
  return join(import.meta.dirname, `${tag}.json`);
}

export async function readRecords(store: Store): Promise<Records> {
  const { tenants, roots, tokens, wraps } = await store.transact(SYSTEM, async (unit) => {
    const { items: listed } = await unit.tenants.list({ limit: 200 });
    const ofEach = [];
    for (const { tenantId } of listed) ofEach.push(...(await unit.tenants.masterKeyWraps(tenantId)));
    return {
      tenants: listed,
      roots: await unit.tenants.roots(),
      tokens: (await unit.tokens.list({ limit: 200 })).items,
      wraps: ofEach,
    };
  });
  const keys = [];
  for (const { tenantId } of tenants) {
    const page = await store.transact(scopeOf(tenantId), (unit) => unit.keys.list({ limit: 200, after: null }));
    for (const { keyId } of page.items) keys.push(await store.readKey(tenantId, keyId));
  }
  // The same plain values as in the file: JSON has no other.
  return JSON.parse(JSON.stringify(comparable({ tenants, wraps, roots, tokens, keys }))) as Records;
}
