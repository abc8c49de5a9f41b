import { KmsError } from '@qnsp/kms-core';
import { sql } from 'drizzle-orm';
import type { Db } from '../driver/driver.ts';
import { APP_ROLE } from '../driver/scope.ts';
import { toStoreError } from '../driver/store-errors.ts';

/**
 * Creates the role that units of work take and lets the connecting user take it, unless that is already so.
 *
 * Roles belong to the whole server, so a service on another database may do the same at this moment. An administrator
 * may have created the role instead; then the connecting user needs no right to create one.
 */
const ENSURE_ROLE = `
do $$
declare
  attempt integer := 0;
begin
  loop
    attempt := attempt + 1;
    begin
      perform set_config('role', '${APP_ROLE}', true);
      perform set_config('role', 'none', true);
      return;
    exception
      when invalid_parameter_value or undefined_object then
        begin
          create role ${APP_ROLE} nologin;
        exception when duplicate_object or unique_violation then
          null;
        end;
      when insufficient_privilege then
        begin
          execute format('grant ${APP_ROLE} to %I', current_user);
        exception when unique_violation or internal_error then
          if attempt > 5 then raise; end if;
        end;
    end;
    if attempt > 10 then
      raise insufficient_privilege using message = 'the role was not granted';
    end if;
  end loop;
end $$`;

export async function ensureAppRole(db: Db): Promise<void> {
  await db.execute(sql.raw(ENSURE_ROLE)).catch(refuseRole);
}

/** Checks that the connecting user may take the role. */
export async function requireAppRole(db: Db): Promise<void> {
  const takeAndReturn = `select set_config('role', '${APP_ROLE}', true), set_config('role', 'none', true)`;
  await db.execute(sql.raw(takeAndReturn)).catch(refuseRole);
}

function refuseRole(error: unknown): never {
  const cause = toStoreError(error);
  if (cause.code !== 'INTERNAL_ERROR') throw cause;
  throw new KmsError(
    'INTERNAL_ERROR',
    `The database user cannot take the role ${APP_ROLE}. Let an administrator run, with the name of that user: ` +
      `CREATE ROLE ${APP_ROLE} NOLOGIN; GRANT ${APP_ROLE} TO "user";`,
    { cause },
  );
}
