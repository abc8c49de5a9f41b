-- For the foreign key. Units of work take tables in several orders, so this queues for it, but never for as long as anybody waits for a
-- deadlock to be seen: whoever holds one and wants another goes first.
DO $$
DECLARE
	since timestamptz := clock_timestamp();
	lock_timeout_before text := current_setting('lock_timeout');
BEGIN
	PERFORM set_config('lock_timeout', '300ms', true);
	LOOP
		BEGIN
			LOCK TABLE kms.tenants
				IN SHARE ROW EXCLUSIVE MODE;
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
CREATE TABLE "kms"."key_migrations" (
	"migration_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"state" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"request" jsonb NOT NULL,
	"progress" jsonb NOT NULL,
	"holder" text,
	"due_at" timestamp (3) with time zone NOT NULL,
	"revision" integer NOT NULL,
	"mac_format" integer NOT NULL,
	"mac_tmk_version" integer NOT NULL,
	"mac_tag" "bytea" NOT NULL,
	CONSTRAINT "key_migrations_state" CHECK ("kms"."key_migrations"."state" in ('running', 'completed', 'cancelled')),
	CONSTRAINT "key_migrations_ended" CHECK (("kms"."key_migrations"."state" = 'running') = ("kms"."key_migrations"."ended_at" is null)),
	CONSTRAINT "key_migrations_json" CHECK (jsonb_typeof("kms"."key_migrations"."request") = 'object' and jsonb_typeof("kms"."key_migrations"."progress") = 'object'),
	CONSTRAINT "key_migrations_revision" CHECK ("kms"."key_migrations"."revision" >= 1),
	CONSTRAINT "key_migrations_mac" CHECK (octet_length("kms"."key_migrations"."mac_tag") = 32 and "kms"."key_migrations"."mac_tmk_version" >= 1 and "kms"."key_migrations"."mac_format" >= 1)
);
--> statement-breakpoint
ALTER TABLE "kms"."key_migrations" ADD CONSTRAINT "key_migrations_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "key_migrations_running" ON "kms"."key_migrations" USING btree ("tenant_id") WHERE "kms"."key_migrations"."state" = 'running';--> statement-breakpoint
CREATE INDEX "key_migrations_due" ON "kms"."key_migrations" USING btree ("due_at","migration_id") WHERE "kms"."key_migrations"."state" = 'running';--> statement-breakpoint
CREATE INDEX "key_migrations_newest" ON "kms"."key_migrations" USING btree ("tenant_id","created_at","migration_id");
--> statement-breakpoint
CREATE TRIGGER "key_migrations_tenant" BEFORE INSERT ON "kms"."key_migrations"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
-- What was asked for stays, and what has ended: a migration that was cancelled does not go on because its row from before came back.
CREATE FUNCTION "kms"."guard_migration_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	changes CONSTANT text[] := ARRAY['state', 'ended_at', 'progress', 'holder', 'due_at', 'revision', 'mac_format', 'mac_tmk_version', 'mac_tag'];
BEGIN
	IF OLD.state <> 'running' OR NEW.revision <> OLD.revision + 1 OR to_jsonb(NEW) - changes <> to_jsonb(OLD) - changes THEN
		RAISE EXCEPTION 'only how far a running migration has got changes, and its revision by one';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "key_migrations_change" BEFORE UPDATE ON "kms"."key_migrations"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_migration_change"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_migration_removal"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.state = 'running' THEN
		RAISE EXCEPTION 'a running migration is not removed';
	END IF;
	RETURN OLD;
END $$;
--> statement-breakpoint
CREATE TRIGGER "key_migrations_remove" BEFORE DELETE ON "kms"."key_migrations"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_migration_removal"();
--> statement-breakpoint
CREATE TRIGGER "key_migrations_stay" BEFORE TRUNCATE ON "kms"."key_migrations"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
ALTER TABLE "kms"."key_migrations" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "key_migrations_system" ON "kms"."key_migrations" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "key_migrations_tenant" ON "kms"."key_migrations" USING ((SELECT current_setting('kms.scope', true)) = 'tenant'
	AND tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid));
--> statement-breakpoint
GRANT SELECT, INSERT, DELETE ON "kms"."key_migrations" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("state", "ended_at", "progress", "holder", "due_at", "revision", "mac_format", "mac_tmk_version", "mac_tag") ON "kms"."key_migrations" TO "kms_app";
