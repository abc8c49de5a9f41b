CREATE TABLE "kms"."identity_bindings" (
	"binding_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"issuer" text NOT NULL,
	"match" jsonb NOT NULL,
	"found_by" "bytea" NOT NULL,
	"role" text,
	"permissions" text[] NOT NULL,
	"keys" uuid[],
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" text NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"removed_at" timestamp (3) with time zone,
	"mac_format" integer NOT NULL,
	"mac_tmk_version" integer NOT NULL,
	"mac_tag" "bytea" NOT NULL,
	"fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "identity_bindings_match" CHECK (jsonb_typeof("kms"."identity_bindings"."match") = 'object'),
	CONSTRAINT "identity_bindings_found_by" CHECK (octet_length("kms"."identity_bindings"."found_by") = 32),
	CONSTRAINT "identity_bindings_role" CHECK ("kms"."identity_bindings"."role" in ('tenant_admin', 'key_admin', 'key_user', 'auditor')),
	CONSTRAINT "identity_bindings_mac" CHECK (octet_length("kms"."identity_bindings"."mac_tag") = 32 and "kms"."identity_bindings"."mac_tmk_version" >= 1 and "kms"."identity_bindings"."mac_format" >= 2),
	CONSTRAINT "identity_bindings_fields" CHECK (jsonb_typeof("kms"."identity_bindings"."fields") = 'object')
);
--> statement-breakpoint
CREATE TABLE "kms"."identity_denials" (
	"denial_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"issuer" text NOT NULL,
	"claim" text NOT NULL,
	"value" text NOT NULL,
	"found_by" "bytea" NOT NULL,
	"before" timestamp (3) with time zone NOT NULL,
	"ends_at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" text NOT NULL,
	"mac_format" integer NOT NULL,
	"mac_tmk_version" integer NOT NULL,
	"mac_tag" "bytea" NOT NULL,
	"fields" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "identity_denials_claim" CHECK ("kms"."identity_denials"."claim" in ('sub', 'jti')),
	CONSTRAINT "identity_denials_found_by" CHECK (octet_length("kms"."identity_denials"."found_by") = 32),
	CONSTRAINT "identity_denials_mac" CHECK (octet_length("kms"."identity_denials"."mac_tag") = 32 and "kms"."identity_denials"."mac_tmk_version" >= 1 and "kms"."identity_denials"."mac_format" >= 2),
	CONSTRAINT "identity_denials_fields" CHECK (jsonb_typeof("kms"."identity_denials"."fields") = 'object')
);
--> statement-breakpoint
ALTER TABLE "kms"."tombstones" DROP CONSTRAINT "tombstones_kind";--> statement-breakpoint
ALTER TABLE "kms"."identity_bindings" ADD CONSTRAINT "identity_bindings_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."identity_denials" ADD CONSTRAINT "identity_denials_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "identity_bindings_newest" ON "kms"."identity_bindings" USING btree ("tenant_id","created_at","binding_id") WHERE "kms"."identity_bindings"."removed_at" is null;--> statement-breakpoint
CREATE INDEX "identity_bindings_found" ON "kms"."identity_bindings" USING btree ("found_by") WHERE "kms"."identity_bindings"."removed_at" is null;--> statement-breakpoint
CREATE INDEX "identity_denials_ended" ON "kms"."identity_denials" USING btree ("tenant_id","ends_at");--> statement-breakpoint
CREATE INDEX "identity_denials_found" ON "kms"."identity_denials" USING btree ("found_by");--> statement-breakpoint
ALTER TABLE "kms"."tombstones" ADD CONSTRAINT "tombstones_kind" CHECK ("kms"."tombstones"."kind" in ('export', 'tenant', 'key', 'token', 'identity'));
--> statement-breakpoint
CREATE TRIGGER "identity_bindings_tenant" BEFORE INSERT ON "kms"."identity_bindings"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
CREATE TRIGGER "identity_denials_tenant" BEFORE INSERT ON "kms"."identity_denials"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
-- A binding that was removed would let somebody in again if its row from before came back; so its row stays.
CREATE TRIGGER "identity_bindings_stay" BEFORE DELETE OR TRUNCATE ON "kms"."identity_bindings"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_binding_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	changes CONSTANT text[] := ARRAY['removed_at', 'mac_format', 'mac_tmk_version', 'mac_tag'];
BEGIN
	IF OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL OR to_jsonb(NEW) - changes <> to_jsonb(OLD) - changes THEN
		RAISE EXCEPTION 'an identity binding can only be removed, and once';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "identity_bindings_change" BEFORE UPDATE ON "kms"."identity_bindings"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_binding_change"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_denial_removal"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.ends_at <= now() THEN
		RETURN OLD;
	END IF;
	RAISE EXCEPTION 'only identity denials that have ended are removed';
END $$;
--> statement-breakpoint
CREATE TRIGGER "identity_denials_remove" BEFORE DELETE ON "kms"."identity_denials"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_denial_removal"();
--> statement-breakpoint
CREATE TRIGGER "identity_denials_stay" BEFORE TRUNCATE ON "kms"."identity_denials"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
-- What is added needs a notice here: nodes hold who somebody is by all bindings and denials that there were.
CREATE FUNCTION "kms"."announce_identity"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('kms_changes', 'identity:' || encode(coalesce(NEW.found_by, OLD.found_by), 'hex'));
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "identity_bindings_announce" AFTER INSERT OR UPDATE ON "kms"."identity_bindings"
	FOR EACH ROW EXECUTE FUNCTION "kms"."announce_identity"();
--> statement-breakpoint
CREATE TRIGGER "identity_denials_announce" AFTER INSERT OR DELETE ON "kms"."identity_denials"
	FOR EACH ROW EXECUTE FUNCTION "kms"."announce_identity"();
--> statement-breakpoint
CREATE OR REPLACE VIEW "kms"."tombstones_now" WITH (security_invoker = true) AS
	SELECT 'export' AS kind, NULL::uuid AS tenant_id, NULL::uuid AS id, NULL::text AS state, NULL::text AS reason,
		transaction_timestamp()::timestamptz(3) AS at
	UNION ALL
	SELECT 'tenant', t.tenant_id, t.tenant_id, t.state, NULL, transaction_timestamp() FROM kms.tenants t WHERE t.state = 'shredded'
	UNION ALL
	SELECT 'token', t.tenant_id, t.token_id, 'revoked', NULL, t.revoked_at FROM kms.api_tokens t WHERE t.revoked_at IS NOT NULL
	UNION ALL
	SELECT 'key', k.tenant_id, k.key_id, k.state, k.revocation_reason, coalesce(k.revoked_at, k.updated_at)
		FROM kms.keys k WHERE k.state IN ('suspended', 'revoked', 'destroyed')
	UNION ALL
	SELECT 'key', k.tenant_id, k.key_id, 'scheduled', NULL, k.destroy_at
		FROM kms.keys k WHERE k.destroy_at IS NOT NULL AND k.state <> 'destroyed'
	UNION ALL
	SELECT 'identity', b.tenant_id, b.binding_id, 'removed', NULL, b.removed_at
		FROM kms.identity_bindings b WHERE b.removed_at IS NOT NULL;
--> statement-breakpoint
CREATE OR REPLACE VIEW "kms"."tombstones_to_apply" WITH (security_invoker = true) AS
	SELECT s.* FROM kms.tombstones s
	WHERE CASE s.kind
		WHEN 'tenant' THEN EXISTS (SELECT FROM kms.tenants t WHERE t.tenant_id = s.id AND t.state = 'active')
		WHEN 'token' THEN EXISTS (SELECT FROM kms.api_tokens t WHERE t.token_id = s.id AND t.revoked_at IS NULL)
		WHEN 'identity' THEN EXISTS (
			SELECT FROM kms.identity_bindings b JOIN kms.tenants t ON t.tenant_id = b.tenant_id AND t.state = 'active'
			WHERE b.binding_id = s.id AND b.removed_at IS NULL)
		WHEN 'key' THEN EXISTS (
			SELECT FROM kms.keys k JOIN kms.tenants t ON t.tenant_id = k.tenant_id AND t.state = 'active'
			WHERE k.key_id = s.id AND CASE s.state
				WHEN 'destroyed' THEN k.state <> 'destroyed'
				WHEN 'revoked' THEN k.state NOT IN ('revoked', 'destroyed')
				WHEN 'scheduled' THEN k.destroy_at IS NULL AND k.state <> 'destroyed'
				WHEN 'suspended' THEN k.state = 'active'
			END)
		ELSE false
	END
	UNION ALL
	SELECT 'key', k.tenant_id, k.key_id, 'restored', NULL, e.at
	FROM kms.tombstones e
	JOIN kms.keys k ON k.destroy_at IS NOT NULL AND k.state <> 'destroyed' AND k.updated_at < e.at
	JOIN kms.tenants t ON t.tenant_id = k.tenant_id AND t.state = 'active'
	WHERE e.kind = 'export' AND NOT EXISTS (
		SELECT FROM kms.tombstones s WHERE s.kind = 'key' AND s.id = k.key_id AND s.state IN ('scheduled', 'destroyed'));
--> statement-breakpoint
ALTER TABLE "kms"."identity_bindings" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "kms"."identity_denials" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "identity_bindings_system" ON "kms"."identity_bindings" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "identity_bindings_tenant" ON "kms"."identity_bindings" USING ((SELECT current_setting('kms.scope', true)) = 'tenant'
	AND tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid));
--> statement-breakpoint
CREATE POLICY "identity_denials_system" ON "kms"."identity_denials" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "identity_denials_tenant" ON "kms"."identity_denials" USING ((SELECT current_setting('kms.scope', true)) = 'tenant'
	AND tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid));
--> statement-breakpoint
GRANT SELECT, INSERT ON "kms"."identity_bindings" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("removed_at", "mac_format", "mac_tmk_version", "mac_tag") ON "kms"."identity_bindings" TO "kms_app";
--> statement-breakpoint
GRANT SELECT, INSERT, DELETE ON "kms"."identity_denials" TO "kms_app";
