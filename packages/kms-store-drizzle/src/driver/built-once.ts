import type { StoreScope } from '@qnsp/kms-core/ports';
import { type Column, getTableColumns, type SQL, sql, type Table } from 'drizzle-orm';
import type { Db } from './driver.ts';

/** What a statement with placeholders is run with. A placeholder hands its value to the driver as it is. */
export type Values = Readonly<Record<string, unknown>>;

/** A statement that is built once for each connection: with drizzle that takes longer than running it. */
export function builtOnce<S>(build: (db: Db) => S): (db: Db) => S {
  const statements = new WeakMap<Db, S>();
  return (db) => {
    const known = statements.get(db);
    if (known !== undefined) return known;
    const statement = build(db);
    statements.set(db, statement);
    return statement;
  };
}

/** As {@link builtOnce}, for a statement that differs between the scope of a tenant and that of the system. */
export function builtOncePerScope<S>(build: (db: Db, kind: StoreScope['kind']) => S): (db: Db, scope: StoreScope) => S {
  const ofKind = {
    tenant: builtOnce((db) => build(db, 'tenant')),
    system: builtOnce((db) => build(db, 'system')),
  };
  return (db, scope) => ofKind[scope.kind](db);
}

type Placeholders<T extends Table> = { [K in keyof T['_']['columns']]: SQL };

/** A placeholder for each column of a table, under the name of its field. */
export function placeholdersOf<T extends Table>(table: T): Placeholders<T> {
  const fields = Object.keys(getTableColumns(table));
  // Drizzle would encode bare placeholders, and would take NULL for a value of the column: for JSON's null, or for a
  // date.
  return Object.fromEntries(fields.map((field) => [field, sql`${sql.placeholder(field)}`])) as Placeholders<T>;
}

/** The values of a row for {@link placeholdersOf} its table. */
export function valuesOf<T extends Table>(table: T, row: T['$inferInsert']): Values {
  const given: Values = row;
  const columns: readonly [string, Column][] = Object.entries(getTableColumns(table));
  return Object.fromEntries(
    columns.map(([field, column]) => {
      const value = given[field] ?? null;
      return [field, value === null ? null : column.mapToDriverValue(value)];
    }),
  );
}
