import { expect } from 'vitest';
import type { Sql } from 'postgres';
import { expectSoundRows } from './database-invariants.ts';
import type { KmsOnPostgres } from './kms-on-postgres.ts';
import type { Ledger } from './recorded-load.ts';

/**
 * Expects every key to be exactly as the clients were told last, and nothing beside: no change was lost, and none was
 * made twice. The load must have finished.
 */
export async function expectKeptPromises(kms: KmsOnPostgres, ledger: Ledger, sql: Sql): Promise<void> {
  await expectSoundRows(sql);
  const rows = await sql<{ keyId: string; state: string; revision: number; currentVersion: number }[]>`
    select key_id as "keyId", state, revision::int, current_version as "currentVersion" from kms.keys order by key_id`;
  expect([...rows]).toEqual([...ledger.keys.values()].toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1)));
  for (const { keyId, ciphertext, plaintext } of ledger.ciphertexts) {
    const path = `/kms/v1/keys/${keyId}`;
    const opened = await kms.call({ method: 'POST', path: `${path}/decrypt`, body: { ciphertext } });
    if (ledger.keys.get(keyId)?.state === 'destroyed') {
      expect(opened).toMatchObject({ status: 409, body: { code: 'KEY_STATE_INVALID' } });
    } else if (ledger.keys.get(keyId)?.state === 'active') {
      expect(opened).toMatchObject({ status: 200, body: { plaintext } });
    }
  }
}
