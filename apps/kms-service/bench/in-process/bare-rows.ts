import type { KeyId } from '@qnsp/kms-core';
import { newId } from '@qnsp/kms-core/ports';
import type { Sql } from 'postgres';

type Row = Readonly<Record<string, unknown>>;

/** Writes the rows that the service writes, with postgres.js alone and as a user whom no policy binds. */
export interface BareRows {
  /** A transaction with the rows of a new key. */
  create(): Promise<void>;
  /** A transaction with what the next rotation of this key changes and adds. */
  rotate(keyId: KeyId): Promise<void>;
}

/**
 * @param pattern a key whose rows are written again and again under other ids, so that each is as large as a real one
 */
export async function bareRows(sql: Sql, pattern: KeyId): Promise<BareRows> {
  const [key] = await sql<Row[]>`select * from kms.keys where key_id = ${pattern}`;
  const [version] = await sql<Row[]>`select * from kms.key_versions where key_id = ${pattern} and version = 1`;
  if (key === undefined || version === undefined) throw new Error('the pattern is a key with a version');
  const newest = new Map<KeyId, number>();
  return {
    create: async () => {
      const ids = { key_id: newId() };
      await sql.begin(async (tx) => {
        await tx`insert into kms.keys ${tx({ ...key, ...ids })}`;
        await tx`insert into kms.key_versions ${tx({ ...version, ...ids })}`;
      });
    },
    rotate: async (keyId) => {
      const before = newest.get(keyId) ?? 1;
      const ids = { key_id: keyId };
      const next = before + 1;
      newest.set(keyId, next);
      // As the service does it, every column is written but those that a trigger keeps.
      const { tenant_id: _tenant, created_at: _created, ...changing } = key;
      await sql.begin(async (tx) => {
        await tx`
          update kms.keys set ${tx({ ...changing, ...ids, current_version: next, revision: next })}
          where key_id = ${keyId} and revision = ${before}`;
        await tx`update kms.key_versions set state = 'decrypt-only' where key_id = ${keyId} and version = ${before}`;
        await tx`insert into kms.key_versions ${tx({ ...version, ...ids, version: next })}`;
      });
    },
  };
}
