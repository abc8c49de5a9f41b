CREATE TABLE "kms"."database_copies" (
	"place" text PRIMARY KEY NOT NULL,
	"noticed_at" timestamp (3) with time zone NOT NULL,
	"alive_at" timestamp (3) with time zone NOT NULL,
	"data_as_of" timestamp (3) with time zone,
	"settled_at" timestamp (3) with time zone,
	"settled_by" text,
	"tombstones_as_of" timestamp (3) with time zone,
	CONSTRAINT "database_copies_settled_by" CHECK ("kms"."database_copies"."settled_by" in ('tombstones', 'operator')),
	CONSTRAINT "database_copies_settled" CHECK (("kms"."database_copies"."settled_at" is null) = ("kms"."database_copies"."settled_by" is null) and ("kms"."database_copies"."data_as_of" is not null or "kms"."database_copies"."settled_at" is null)),
	CONSTRAINT "database_copies_tombstones" CHECK (("kms"."database_copies"."tombstones_as_of" is not null) = ("kms"."database_copies"."settled_by" is not distinct from 'tombstones'))
);
--> statement-breakpoint
CREATE TABLE "kms"."tombstones" (
	"kind" text NOT NULL,
	"tenant_id" uuid,
	"id" uuid,
	"state" text,
	"reason" text,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "tombstones_kind" CHECK ("kms"."tombstones"."kind" in ('export', 'tenant', 'key', 'token')),
	CONSTRAINT "tombstones_id" CHECK (("kms"."tombstones"."kind" = 'export') = ("kms"."tombstones"."id" is null))
);

--> statement-breakpoint
-- What a dump can not carry along: the server's identity, and the numbers under which it knows this database and this table.
CREATE FUNCTION "kms"."database_place"() RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat_ws('/',
		(SELECT system_identifier FROM pg_control_system()),
		(SELECT oid FROM pg_database WHERE datname = current_database()),
		'kms.database_copies'::regclass::oid)
$$;
--> statement-breakpoint
-- Everything that has ended, as an operator carries it past a restore. Suspended keys are in it, because one that was
-- suspended for a reason must not work again; keys that wait for their destruction are, because it must not be forgotten.
CREATE VIEW "kms"."tombstones_now" WITH (security_invoker = true) AS
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
		FROM kms.keys k WHERE k.destroy_at IS NOT NULL AND k.state <> 'destroyed';
--> statement-breakpoint
-- Those that say more than the rows of this copy do, and the keys whose destruction was taken back after the copy was made:
-- they wait for it here, and a list that is younger than their last change does not have them. Nothing can be done about
-- the keys of a shredded tenant.
CREATE VIEW "kms"."tombstones_to_apply" WITH (security_invoker = true) AS
	SELECT s.* FROM kms.tombstones s
	WHERE CASE s.kind
		WHEN 'tenant' THEN EXISTS (SELECT FROM kms.tenants t WHERE t.tenant_id = s.id AND t.state = 'active')
		WHEN 'token' THEN EXISTS (SELECT FROM kms.api_tokens t WHERE t.token_id = s.id AND t.revoked_at IS NULL)
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
ALTER TABLE "kms"."database_copies" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "kms"."tombstones" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "database_copies_system" ON "kms"."database_copies" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "tombstones_system" ON "kms"."tombstones" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
GRANT SELECT, INSERT ON "kms"."database_copies" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("alive_at", "settled_at", "settled_by", "tombstones_as_of") ON "kms"."database_copies" TO "kms_app";
--> statement-breakpoint
GRANT SELECT ON "kms"."tombstones", "kms"."tombstones_now", "kms"."tombstones_to_apply" TO "kms_app";
