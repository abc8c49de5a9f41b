import { randomUUID } from 'node:crypto';
import type { FieldCipher } from '@qnsp/kms-client/fields';
import { and, asc, eq, gt } from 'drizzle-orm';
import { customType, index, type PgDatabase, type PgQueryResultHKT, pgTable, text, uuid } from 'drizzle-orm/pg-core';

const bytes = customType<{ data: Uint8Array }>({ dataType: () => 'bytea' });

/** What the database holds: nobody who reads it learns an email address. */
const customers = pgTable(
  'customer',
  {
    id: uuid().primaryKey(),
    name: text().notNull(),
    email: bytes().notNull(),
    /** The code of the address, by which it is found. */
    emailIndex: bytes('email_index').notNull(),
  },
  (table) => [index('customer_email').on(table.emailIndex)],
);

export const CREATE_TABLE = `
  CREATE TABLE IF NOT EXISTS customer (id uuid PRIMARY KEY, name text NOT NULL, email bytea NOT NULL, email_index bytea NOT NULL);
  CREATE INDEX IF NOT EXISTS customer_email ON customer (email_index)`;

/** A customer as the application knows them. */
export interface Customer {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

/** Any PostgreSQL that Drizzle has a driver for. */
export type Database = PgDatabase<PgQueryResultHKT>;

const PAGE = 500;

/** Stores customers and finds them by their email address, however its letters are written. */
export function customerStore(database: Database, emails: FieldCipher) {
  const sameForm = (email: string) => email.trim().toLowerCase();
  return {
    async add(name: string, email: string): Promise<string> {
      const id = randomUUID();
      const [sealed, emailIndex] = await Promise.all([
        emails.seal({ value: email, row: id }),
        emails.blindIndex(sameForm(email)),
      ]);
      await database.insert(customers).values({ id, name, email: sealed, emailIndex });
      return id;
    },

    async findByEmail(email: string): Promise<readonly Customer[]> {
      const code = await emails.blindIndex(sameForm(email));
      const rows = await database.select().from(customers).where(eq(customers.emailIndex, code));
      const found = await Promise.all(
        rows.map(async ({ id, name, email: sealed }) => ({
          id,
          name,
          email: await emails.openText({ sealed, row: id }),
        })),
      );
      // Another address may share the code where codes are short.
      return found.filter((customer) => sameForm(customer.email) === sameForm(email));
    },

    /** After a rotation: moves every address to the current version of the key, page by page, while others read and write. */
    async reseal(): Promise<number> {
      let replaced = 0;
      for (let after = '00000000-0000-0000-0000-000000000000'; ; ) {
        const rows = await database
          .select({ id: customers.id, sealed: customers.email })
          .from(customers)
          .where(gt(customers.id, after))
          .orderBy(asc(customers.id))
          .limit(PAGE);
        const last = rows.at(-1);
        if (last === undefined) return replaced;
        after = last.id;
        const results = await emails.reseal(rows.map(({ id, sealed }) => ({ sealed, row: id })));
        for (const [at, result] of results.entries()) {
          const row = rows[at];
          if (!result.ok) throw result.error;
          if (row === undefined || !result.value.changed) continue;
          // An address that was written meanwhile is under the current version already.
          await database
            .update(customers)
            .set({ email: result.value.sealed })
            .where(and(eq(customers.id, row.id), eq(customers.email, row.sealed)));
          replaced += 1;
        }
      }
    },
  };
}
