import { createSecretKey } from 'node:crypto';
import type { KeyId, TenantId } from '@qnsp/kms-core';
import type { MasterKeyChain } from '@qnsp/kms-core/internal';
import type { Sql } from 'postgres';

interface StoredKey {
  readonly current_version: number;
  readonly versions: readonly {
    readonly version: number;
    readonly algorithm: string;
    readonly tmkVersion: number;
    readonly sealed: string;
  }[];
}

/**
 * The least that the use of a cold key takes: selects the row, with postgres.js alone and as a user whom no policy binds,
 * and unseals the current version.
 */
export async function useBareKey(sql: Sql, chain: MasterKeyChain, tenantId: TenantId, keyId: KeyId): Promise<void> {
  const [row] = await sql<StoredKey[]>`
    select * from kms.key_records where tenant_id = ${tenantId} and key_id = ${keyId}`;
  const version = row?.versions.find((candidate) => candidate.version === row.current_version);
  if (version === undefined) throw new Error('a loaded key is there, with its current version');
  const binding = { keyId, version: version.version, algorithm: version.algorithm };
  const secret = chain.version(version.tmkVersion).open(binding, Buffer.from(version.sealed, 'base64'));
  createSecretKey(secret);
  secret.fill(0);
}
