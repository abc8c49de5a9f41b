import { customType, pgSchema, timestamp } from 'drizzle-orm/pg-core';

/** Everything that belongs to the KMS lives in one schema. */
export const kms = pgSchema('kms');

/** Bytes, as `Uint8Array` on both sides. */
export const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
});

/** An instant in whole milliseconds, the precision of a JavaScript `Date`. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });
