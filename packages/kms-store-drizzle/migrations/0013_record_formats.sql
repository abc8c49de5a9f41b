-- Units of work take these tables in several orders, so this queues for them, but never for as long as anybody waits for a
-- deadlock to be seen: whoever holds one and wants another goes first.
DO $$
DECLARE
	since timestamptz := clock_timestamp();
	lock_timeout_before text := current_setting('lock_timeout');
BEGIN
	PERFORM set_config('lock_timeout', '300ms', true);
	LOOP
		BEGIN
			LOCK TABLE kms.api_tokens, kms.keys, kms.key_versions, kms.tenants, kms.tenant_master_key_wraps
				IN ACCESS EXCLUSIVE MODE;
			EXIT;
		EXCEPTION WHEN lock_not_available THEN
			IF clock_timestamp() > since + interval '60 seconds' THEN
				RAISE;
			END IF;
			PERFORM pg_sleep(0.05);
		END;
	END LOOP;
	PERFORM set_config('lock_timeout', lock_timeout_before, true);
END $$;
--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD COLUMN "mac_format" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD COLUMN "fields" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."key_versions" ADD COLUMN "fields" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD COLUMN "mac_format" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD COLUMN "fields" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."tenant_master_key_wraps" ADD COLUMN "format" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD COLUMN "mac_format" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD COLUMN "mac_tmk_version" integer;--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD COLUMN "mac_tag" "bytea";--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD COLUMN "fields" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD CONSTRAINT "api_tokens_mac_format" CHECK ("kms"."api_tokens"."mac_format" >= 1);--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD CONSTRAINT "api_tokens_fields" CHECK (jsonb_typeof("kms"."api_tokens"."fields") = 'object');--> statement-breakpoint
ALTER TABLE "kms"."key_versions" ADD CONSTRAINT "key_versions_fields" CHECK (jsonb_typeof("kms"."key_versions"."fields") = 'object');--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_mac_format" CHECK ("kms"."keys"."mac_format" >= 1);--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_fields" CHECK (jsonb_typeof("kms"."keys"."fields") = 'object');--> statement-breakpoint
ALTER TABLE "kms"."tenant_master_key_wraps" ADD CONSTRAINT "tenant_master_key_wraps_format" CHECK ("kms"."tenant_master_key_wraps"."format" >= 1);--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD CONSTRAINT "tenants_mac" CHECK (num_nonnulls("kms"."tenants"."mac_tag", "kms"."tenants"."mac_tmk_version") = case when "kms"."tenants"."mac_format" > 1 then 2 else 0 end and octet_length("kms"."tenants"."mac_tag") = 32 and "kms"."tenants"."mac_tmk_version" >= 1);--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD CONSTRAINT "tenants_mac_format" CHECK ("kms"."tenants"."mac_format" >= 1);--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD CONSTRAINT "tenants_fields" CHECK (jsonb_typeof("kms"."tenants"."fields") = 'object');
--> statement-breakpoint
-- What is new comes last: nodes of the release before go on reading the columns that they know, and what they write is of
-- format 1, as the defaults say.
CREATE OR REPLACE VIEW "kms"."key_records" WITH (security_invoker = true) AS
	SELECT k.key_id, k.tenant_id, k.name, k.algorithm, k.purpose, k.protection_level, k.state, k.state_before_destroy,
		k.revocation_reason, k.revoked_at, k.current_version, k.rotation_period_seconds, k.rotation_auto, k.retain_versions,
		k.next_rotation_at, k.max_operations, k.expires_at, k.policy, k.metadata, k.parent_key_id, k.revision, k.created_at,
		k.updated_at, k.destroy_at, k.mac_tmk_version, k.mac_tag, (
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
			'createdAt', (extract(epoch FROM v.created_at) * 1000)::bigint,
			'fields', v.fields
		) ORDER BY v.version)
		FROM kms.key_versions v WHERE v.key_id = k.key_id
	) AS versions, k.mac_format, k.fields
	FROM kms.keys k;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "kms"."guard_token_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	changes CONSTANT text[] := ARRAY['revoked_at', 'mac_format', 'mac_tmk_version', 'mac_tag'];
BEGIN
	IF OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL OR to_jsonb(NEW) - changes <> to_jsonb(OLD) - changes THEN
		RAISE EXCEPTION 'a token can only be revoked, and once';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
GRANT UPDATE ("mac_format") ON "kms"."api_tokens" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("fields") ON "kms"."key_versions" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("mac_format", "mac_tmk_version", "mac_tag", "fields") ON "kms"."tenants" TO "kms_app";
