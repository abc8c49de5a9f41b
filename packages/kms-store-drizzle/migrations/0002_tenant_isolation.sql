-- Row-level security. Every unit of work takes the role kms_app, which owns nothing, and says for whom it works:
-- kms.scope is 'tenant' with kms.tenant_id, or 'system'. Without either there is not a single row. FORCE binds the owner
-- of the tables too. The sub-selects are evaluated once per statement instead of once per row.

CREATE VIEW "kms"."key_records" WITH (security_invoker = true) AS
	SELECT k.*, (
		SELECT json_agg(json_build_object(
			'version', v.version,
			'state', v.state,
			'algorithm', v.algorithm,
			'origin', v.origin,
			'provider', v.provider,
			'materialKind', v.material_kind,
			'tmkVersion', v.tmk_version,
			'sealed', encode(v.sealed, 'base64'),
			'handle', encode(v.handle, 'base64'),
			'publicKey', encode(v.public_key, 'base64'),
			'createdAt', (extract(epoch FROM v.created_at) * 1000)::bigint
		) ORDER BY v.version)
		FROM kms.key_versions v WHERE v.key_id = k.key_id
	) AS versions
	FROM kms.keys k;
--> statement-breakpoint
-- One round trip for the read that crypto operations wait for: takes role and scope and answers the key.
CREATE FUNCTION "kms"."read_key"(wanted_tenant uuid, wanted_key uuid) RETURNS SETOF "kms"."key_records" LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'kms_app', true),
		set_config('kms.scope', 'tenant', true),
		set_config('kms.tenant_id', wanted_tenant::text, true);
	RETURN QUERY SELECT * FROM kms.key_records r WHERE r.tenant_id = wanted_tenant AND r.key_id = wanted_key;
END $$;
--> statement-breakpoint
-- The same for the read that authenticates a caller, before anybody knows the tenant.
CREATE FUNCTION "kms"."find_token"(wanted_hash bytea) RETURNS SETOF "kms"."api_tokens" LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'kms_app', true), set_config('kms.scope', 'system', true), set_config('kms.tenant_id', '', true);
	RETURN QUERY SELECT * FROM kms.api_tokens t WHERE t.hash = wanted_hash;
END $$;
--> statement-breakpoint
DO $$
DECLARE
	kms_table text;
BEGIN
	FOREACH kms_table IN ARRAY ARRAY[
		'tenants', 'tenant_master_key_wraps', 'keys', 'key_versions', 'operation_leases', 'api_tokens', 'idempotency_keys', 'roots'
	] LOOP
		EXECUTE format('ALTER TABLE kms.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', kms_table);
		EXECUTE format(
			'CREATE POLICY %I ON kms.%I USING ((SELECT current_setting(''kms.scope'', true)) = ''system'')',
			kms_table || '_system', kms_table
		);
		-- The roots belong to the service alone.
		CONTINUE WHEN kms_table = 'roots';
		EXECUTE format(
			'CREATE POLICY %I ON kms.%I USING ('
			'(SELECT current_setting(''kms.scope'', true)) = ''tenant'' AND '
			'tenant_id = (SELECT nullif(current_setting(''kms.tenant_id'', true), '''')::uuid))',
			kms_table || '_tenant', kms_table
		);
	END LOOP;
END $$;
--> statement-breakpoint
GRANT USAGE ON SCHEMA "kms" TO "kms_app";
--> statement-breakpoint
GRANT SELECT ON ALL TABLES IN SCHEMA "kms" TO "kms_app";
--> statement-breakpoint
GRANT INSERT ON "kms"."tenants", "kms"."tenant_master_key_wraps", "kms"."roots", "kms"."keys", "kms"."key_versions",
	"kms"."operation_leases", "kms"."api_tokens", "kms"."idempotency_keys" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ON "kms"."keys", "kms"."operation_leases", "kms"."idempotency_keys" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("state") ON "kms"."tenants" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("state", "material_kind", "tmk_version", "sealed", "handle") ON "kms"."key_versions" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("revoked_at") ON "kms"."api_tokens" TO "kms_app";
--> statement-breakpoint
GRANT DELETE ON "kms"."tenant_master_key_wraps", "kms"."idempotency_keys" TO "kms_app";
--> statement-breakpoint
-- A process that only serves checks at its start that the migrations are those that it knows.
GRANT USAGE ON SCHEMA "drizzle" TO "kms_app";
--> statement-breakpoint
GRANT SELECT ON "drizzle"."kms_migrations" TO "kms_app";
