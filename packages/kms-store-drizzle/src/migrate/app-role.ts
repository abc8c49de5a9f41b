import { KmsError } from '@qnsp/kms-core';
import { sql } from 'drizzle-orm';
import type { Db } from '../driver/driver.ts';
import type { Names } from '../driver/names.ts';
import { toStoreError } from '../driver/store-errors.ts';

/**
 * Creates the role that units of work take and lets the connecting user take it, unless that is already so.
 *
 * Roles belong to the whole server, so a service on another database may do the same at this moment. An administrator
 * may have created the role instead; then the connecting user needs no right to create one.
 */
const ensureRole = (role: string) => `
do $$
declare
  attempt integer := 0;
begin
  loop
    attempt := attempt + 1;
    begin
      perform set_config('role', '${role}', true);
      perform set_config('role', 'none', true);
      return;
    exception
      when invalid_parameter_value or undefined_object then
        begin
          create role ${role} nologin;
        exception when duplicate_object or unique_violation then
          null;
        end;
      when insufficient_privilege then
        begin
          execute format('grant ${role} to %I', current_user);
        exception when unique_violation or internal_error then
          if attempt > 5 then raise; end if;
        end;
    end;
    if attempt > 10 then
      raise insufficient_privilege using message = 'the role was not granted';
    end if;
  end loop;
end $$`;

export async function ensureAppRole(db: Db, { role }: Names): Promise<void> {
  await db.execute(sql.raw(ensureRole(role))).catch((error: unknown) => refuseRole(error, role));
}

/** Checks that the connecting user may take the role. */
export async function requireAppRole(db: Db, { role }: Names): Promise<void> {
  const takeAndReturn = `select set_config('role', '${role}', true), set_config('role', 'none', true)`;
  await db.execute(sql.raw(takeAndReturn)).catch((error: unknown) => refuseRole(error, role));
}

function refuseRole(error: unknown, role: string): never {
  const cause = toStoreError(error);
  if (cause.code !== 'INTERNAL_ERROR') throw cause;
  throw new KmsError(
    'INTERNAL_ERROR',
    `The database user cannot take the role ${role}. Let an administrator run, with the name of that user: ` +
      `CREATE ROLE ${role} NOLOGIN; GRANT ${role} TO "user";`,
    { cause },
  );
}
