/**
 * A record is one text in a row, beside the columns that it is searched, sorted or protected by. Instants are milliseconds since
 * 1970. `tmk_version` is the earliest version of its tenant's master key that a record names.
 */
export const SCHEMA = `
  create table if not exists tenants (
    tenant_id text primary key, state text not null, created_at integer not null, record text not null,
    oldest_tmk_version integer not null default 1
  ) strict;
  create table if not exists keys (
    key_id text primary key, tenant_id text not null references tenants, state text not null, algorithm text not null,
    purpose text not null, name text, parent_key_id text references keys, created_at integer not null,
    revision integer not null, rotates_at integer, destroys_at integer, record text not null, tmk_version integer not null
  ) strict;
  create index if not exists keys_newest on keys (tenant_id, created_at desc, key_id desc);
  create index if not exists keys_master_key on keys (tenant_id, tmk_version, key_id);
  create index if not exists keys_in_use on keys (tenant_id) where state <> 'destroyed';
  create index if not exists keys_children on keys (parent_key_id);
  create index if not exists keys_rotation on keys (rotates_at, key_id) where rotates_at is not null;
  create index if not exists keys_destruction on keys (destroys_at, key_id) where destroys_at is not null;
  create table if not exists budgets (
    key_id text not null references keys, version integer not null, granted integer not null, primary key (key_id, version)
  ) strict;
  create table if not exists version_uses (
    key_id text not null references keys, version integer not null, protected_at integer, processed_at integer,
    primary key (key_id, version)
  ) strict;
  create table if not exists operations (
    tenant_id text not null references tenants, month text not null, count integer not null, primary key (tenant_id, month)
  ) strict;
  create table if not exists tokens (
    token_id text primary key, hash blob not null unique, tenant_id text references tenants, created_at integer not null,
    expires_at integer, revoked_at integer, identity text not null, parent text, overlap_end integer, record text not null
  ) strict;
  create index if not exists tokens_identity on tokens (identity);
  create index if not exists tokens_parent on tokens (parent);
  create table if not exists token_uses (
    token_id text primary key references tokens on delete cascade, used_at integer not null
  ) strict;
  create index if not exists tokens_newest on tokens (tenant_id, created_at desc, token_id desc);
  create index if not exists tokens_expired on tokens (expires_at, token_id) where tenant_id is not null;
  create table if not exists bindings (
    binding_id text primary key, tenant_id text not null references tenants, found_by text not null,
    created_at integer not null, removed_at integer, record text not null, tmk_version integer not null
  ) strict;
  create index if not exists bindings_newest on bindings (tenant_id, created_at desc, binding_id desc);
  create index if not exists bindings_found on bindings (found_by) where removed_at is null;
  create index if not exists bindings_removed on bindings (found_by, tenant_id) where removed_at is not null;
  create table if not exists denials (
    denial_id text primary key, tenant_id text not null references tenants, found_by text not null,
    created_at integer not null, ends_at integer not null, record text not null, tmk_version integer not null
  ) strict;
  create index if not exists denials_newest on denials (tenant_id, created_at desc, denial_id desc);
  create index if not exists denials_found on denials (found_by);
  create index if not exists denials_ended on denials (tenant_id, ends_at);
  create table if not exists roots (
    provider_id text not null, check_value text not null, primary key (provider_id, check_value)
  ) strict;
  create table if not exists wraps (
    tenant_id text not null references tenants, tmk_version integer not null, provider_id text not null,
    check_value text not null, format integer not null, wrapped blob not null,
    primary key (tenant_id, tmk_version, provider_id, check_value),
    foreign key (provider_id, check_value) references roots
  ) strict;
  create table if not exists approvals (
    approval_id text primary key, tenant_id text not null references tenants, fingerprint text not null,
    state text not null, created_at integer not null, expires_at integer not null, record text not null
  ) strict;
  create index if not exists approvals_newest on approvals (tenant_id, created_at desc, approval_id desc);
  create index if not exists approvals_pending on approvals (tenant_id, fingerprint) where state = 'pending';
  create table if not exists answers (
    tenant_id text not null references tenants, name text not null, fingerprint blob not null, answer blob,
    expires_at integer, primary key (tenant_id, name)
  ) strict;
  create table if not exists migrations (
    migration_id text primary key, tenant_id text not null references tenants, state text not null, created_at integer not null,
    due_at integer not null, revision integer not null, record text not null
  ) strict;
  create index if not exists migrations_newest on migrations (tenant_id, created_at desc, migration_id desc);
  create unique index if not exists migrations_running on migrations (tenant_id) where state = 'running';
  create table if not exists claims (
    provider_id text not null, key_id text not null, version integer not null, tenant_id text not null, kind text not null,
    claimed_at integer not null, mark text not null, primary key (provider_id, key_id, version)
  ) strict;

  create table if not exists outbox (
    id integer primary key autoincrement, tenant_id text not null, event_type text not null, event text not null
  ) strict;
  create index if not exists outbox_tenant on outbox (tenant_id, id);
  create table if not exists chains (
    tenant_id text primary key, sequence integer not null, hash text not null, checkpoint text,
    delivered integer not null default 0, attempts integer not null default 0, due_at integer not null default 0,
    turn integer not null default 0, lease_owner text, lease_until integer not null default 0
  ) strict;
  create table if not exists checkpoints (
    tenant_id text not null, first_sequence integer not null, last_sequence integer not null, checkpoint text not null,
    sealed_at integer not null, refusal text, retired integer not null default 0, primary key (tenant_id, first_sequence)
  ) strict;
  create table if not exists events (
    tenant_id text not null, sequence integer not null, event_id text not null unique, event_type text not null,
    actor_id text not null, key_id text, result text not null, occurred_at integer not null, previous_hash text not null,
    hash text not null, event text not null, primary key (tenant_id, sequence)
  ) strict;
`;
