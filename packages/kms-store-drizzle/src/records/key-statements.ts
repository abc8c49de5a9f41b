import { and, eq, sql } from 'drizzle-orm';
import { builtOnce, builtOncePerScope, placeholdersOf } from '../driver/built-once.ts';
import { kms } from '../schema/columns.ts';
import { keyVersions } from '../schema/key-versions.ts';
import { keys } from '../schema/keys.ts';
import { withinScope } from '../driver/scope.ts';
import { WHOLE_KEY } from './version-texts.ts';

// The statements of the calls that make and change keys.

export const lockKey = builtOncePerScope((db, kind) =>
  db
    .select({ revision: keys.revision, macTag: keys.macTag })
    .from(keys)
    .where(and(eq(keys.keyId, sql.placeholder('keyId')), withinScope(kind, keys.tenantId)))
    .for('update')
    .prepare('lock_key'),
);

export const getKey = builtOncePerScope((db, kind) =>
  db
    .select(WHOLE_KEY)
    .from(keys)
    .where(and(eq(keys.keyId, sql.placeholder('keyId')), withinScope(kind, keys.tenantId)))
    .prepare('get_key'),
);

/** Takes the values of the row, and how many keys its tenant may have as `atMost`, or `null`. */
export const insertKey = builtOnce((db) =>
  db
    .insert(keys)
    .values(placeholdersOf(keys))
    .onConflictDoNothing()
    .returning({
      used: sql`${kms}.require_room_for_key(${keys.tenantId}, ${keys.parentKeyId}, ${sql.placeholder('atMost')})`,
    })
    .prepare('insert_key'),
);

/** Takes the values of the new row, and `expectedRevision`. */
export const updateKey = builtOnce((db) =>
  db
    .update(keys)
    .set(placeholdersOf(keys))
    .where(
      and(
        eq(keys.keyId, sql.placeholder('keyId')),
        eq(keys.tenantId, sql.placeholder('tenantId')),
        eq(keys.revision, sql.placeholder('expectedRevision')),
      ),
    )
    .returning({ keyId: keys.keyId })
    .prepare('update_key'),
);

export const insertVersion = builtOnce((db) =>
  db.insert(keyVersions).values(placeholdersOf(keyVersions)).prepare('insert_version'),
);

/** Takes a list of `VersionChange` in JSON as `changes`. */
export const changeVersions = builtOnce((db) => {
  const kept = (column: string) => sql`case when change."drop" then null else ${sql.identifier(column)} end`;
  const changes = sql.placeholder('changes');
  return db
    .update(keyVersions)
    .set({
      state: sql`change.state`,
      materialKind: sql`case when change."drop" then 'none' else material_kind end`,
      tmkVersion: kept('tmk_version'),
      sealed: kept('sealed'),
      handle: kept('handle'),
      fields: sql`coalesce(change.fields, key_versions.fields)`,
    })
    .from(
      sql`jsonb_to_recordset(${changes}::jsonb) as change("version" integer, "state" text, "drop" boolean, "fields" jsonb)`,
    )
    .where(
      and(
        eq(keyVersions.tenantId, sql.placeholder('tenantId')),
        eq(keyVersions.keyId, sql.placeholder('keyId')),
        sql`${keyVersions.version} = change.version`,
      ),
    )
    .prepare('change_versions');
});
