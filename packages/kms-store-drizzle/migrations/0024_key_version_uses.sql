-- What is read and written meanwhile does not wait: a foreign key needs no more than this of the table that it points to. All that the
-- migrations up to 0029 lock is taken together: they are one transaction in an upgrade, and units of work take tables in several orders.
DO $$
DECLARE
	since timestamptz := clock_timestamp();
	lock_timeout_before text := current_setting('lock_timeout');
BEGIN
	PERFORM set_config('lock_timeout', '300ms', true);
	LOOP
		BEGIN
			LOCK TABLE kms.idempotency_keys, kms.tenants, kms.key_versions IN SHARE ROW EXCLUSIVE MODE;
			LOCK TABLE kms.identity_bindings IN ACCESS EXCLUSIVE MODE;
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
CREATE TABLE "kms"."key_version_uses" (
	"tenant_id" uuid NOT NULL,
	"key_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"protected_at" timestamp (3) with time zone,
	"processed_at" timestamp (3) with time zone,
	CONSTRAINT "key_version_uses_pkey" PRIMARY KEY("key_id","version")
);
--> statement-breakpoint
ALTER TABLE "kms"."key_version_uses" ADD CONSTRAINT "key_version_uses_version" FOREIGN KEY ("key_id","version") REFERENCES "kms"."key_versions"("key_id","version") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."key_version_uses" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "key_version_uses_system" ON "kms"."key_version_uses" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "key_version_uses_tenant" ON "kms"."key_version_uses" FOR SELECT USING (
	(SELECT current_setting('kms.scope', true)) = 'tenant' AND
	tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid)
);
--> statement-breakpoint
GRANT SELECT, INSERT ON "kms"."key_version_uses" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("protected_at", "processed_at") ON "kms"."key_version_uses" TO "kms_app";
--> statement-breakpoint
-- From when on uses are written down, in milliseconds since 1970: now.
DO $$
BEGIN
	EXECUTE format(
		'CREATE FUNCTION "kms"."uses_known_since"() RETURNS bigint LANGUAGE sql IMMUTABLE AS %L',
		format('SELECT %s::bigint', (extract(epoch FROM now()) * 1000)::bigint)
	);
END $$;
