import postgres, { type Sql } from 'postgres';
import { expect } from 'vitest';

/** A session beside the service, as a superuser: it sees the rows of every tenant. */
export function openAdminSession(databaseUrl: string, connections = 2): Sql {
  // The query for types that postgres.js sends by itself fails where nobody can catch it.
  return postgres(databaseUrl, { max: connections, fetch_types: false, onnotice: () => undefined });
}

/** What must hold of the rows whatever happened, each by the query that finds what breaks it. */
const VIOLATIONS: Readonly<Record<string, string>> = {
  'a key that is not destroyed has exactly one active version, its current one': `
    select k.key_id from kms.keys k
    where k.state <> 'destroyed' and (
      select array_agg(v.version) from kms.key_versions v where v.key_id = k.key_id and v.state = 'active'
    ) is distinct from array[k.current_version]`,
  'an active version of an active tenant has its material': `
    select v.key_id from kms.key_versions v join kms.tenants t using (tenant_id)
    where t.state = 'active' and v.state = 'active' and v.sealed is null and v.handle is null`,
  'versions count without gaps, up to the current one': `
    select k.key_id from kms.keys k
    where (select array_agg(v.version order by v.version) from kms.key_versions v where v.key_id = k.key_id)
      is distinct from (select array_agg(n) from generate_series(1, k.current_version) n)`,
  'a destroyed key has no material': `
    select k.key_id from kms.keys k join kms.key_versions v using (key_id)
    where k.state = 'destroyed' and (v.state <> 'destroyed' or v.material_kind <> 'none'
      or v.sealed is not null or v.handle is not null)`,
  'a shredded tenant has no master key, no material and no valid token': `
    select t.tenant_id from kms.tenants t where t.state = 'shredded' and (
      exists (select from kms.tenant_master_key_wraps w where w.tenant_id = t.tenant_id) or
      exists (select from kms.key_versions v where v.tenant_id = t.tenant_id
        and (v.sealed is not null or v.handle is not null)) or
      exists (select from kms.api_tokens a where a.tenant_id = t.tenant_id and a.revoked_at is null))`,
  'an active tenant has its master key': `
    select t.tenant_id from kms.tenants t where t.state = 'active' and not exists (
      select from kms.tenant_master_key_wraps w where w.tenant_id = t.tenant_id)`,
  'whatever an active tenant has is under a master key that is there': `
    select n.tenant_id from (
      select tenant_id, mac_tmk_version as version from kms.keys
      union all select tenant_id, tmk_version from kms.key_versions where tmk_version is not null
      union all select tenant_id, mac_tmk_version from kms.identity_bindings
      union all select tenant_id, mac_tmk_version from kms.identity_denials
    ) n join kms.tenants t on t.tenant_id = n.tenant_id and t.state = 'active'
    where n.version < t.oldest_tmk_version or not exists (
      select from kms.tenant_master_key_wraps w where w.tenant_id = n.tenant_id and w.tmk_version = n.version)`,
  'no master key is there that was destroyed': `
    select w.tenant_id from kms.tenant_master_key_wraps w join kms.tenants t using (tenant_id)
    where w.tmk_version < t.oldest_tmk_version`,
  'no idempotency key is claimed without an answer': `
    select i.key from kms.idempotency_keys i where i.answer is null`,
};

/** Expects that no row breaks an invariant. */
export async function expectSoundRows(sql: Sql): Promise<void> {
  const found = await Promise.all(
    Object.entries(VIOLATIONS).map(async ([rule, query]) => [rule, (await sql.unsafe(query)).length] as const),
  );
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(Object.keys(VIOLATIONS).map((rule) => [rule, 0])));
}
