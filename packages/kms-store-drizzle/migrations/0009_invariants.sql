-- All locks first, in an order that no unit of work has the other way round, so that nodes can go on while this runs. A keyed
-- call writes its key before a tenant, and a shred the tenant before the keys: nothing may be held while the other is waited for.
DO $$
DECLARE
	since timestamptz := clock_timestamp();
BEGIN
	LOOP
		BEGIN
			LOCK TABLE kms.idempotency_keys IN SHARE ROW EXCLUSIVE MODE;
			LOCK TABLE kms.tenants IN SHARE ROW EXCLUSIVE MODE NOWAIT;
			EXIT;
		EXCEPTION WHEN lock_not_available THEN
			IF clock_timestamp() > since + interval '60 seconds' THEN
				RAISE;
			END IF;
			PERFORM pg_sleep(0.05);
		END;
	END LOOP;
END $$;
--> statement-breakpoint
-- A budget is lent by an insert that reads keys, and a change of a key goes from the key to its versions.
LOCK TABLE "kms"."operation_leases" IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
LOCK TABLE "kms"."api_tokens", "kms"."keys" IN ACCESS EXCLUSIVE MODE;
--> statement-breakpoint
LOCK TABLE "kms"."key_versions" IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
LOCK TABLE "kms"."evidence_chains" IN SHARE MODE;
--> statement-breakpoint
ALTER TABLE "kms"."idempotency_keys" ADD CONSTRAINT "idempotency_keys_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "evidence_chains_undelivered" ON "kms"."evidence_chains" USING btree ("next_attempt_at" NULLS FIRST,"tenant_id") WHERE "kms"."evidence_chains"."delivered" < "kms"."evidence_chains"."sequence";--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD CONSTRAINT "api_tokens_role" CHECK ("kms"."api_tokens"."role" in ('platform_admin', 'tenant_admin', 'key_admin', 'key_user', 'auditor'));--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_rotation" CHECK (not "kms"."keys"."rotation_auto" or num_nonnulls("kms"."keys"."rotation_period_seconds", "kms"."keys"."next_rotation_at") = 2);--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_rotation_period" CHECK ("kms"."keys"."rotation_period_seconds" > 0);--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_retain_versions" CHECK ("kms"."keys"."retain_versions" > 0);--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_max_operations" CHECK ("kms"."keys"."max_operations" >= 0);
--> statement-breakpoint
-- A shred waits for the tokens and the answers that are being made, and sees them. A call with an idempotency key takes
-- this lock before that of the key's row, as a shred does.
CREATE TRIGGER "api_tokens_tenant" BEFORE INSERT ON "kms"."api_tokens"
	FOR EACH ROW WHEN (NEW.tenant_id IS NOT NULL) EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
CREATE TRIGGER "idempotency_keys_tenant" BEFORE INSERT ON "kms"."idempotency_keys"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "kms"."guard_destroyed_key"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (
		SELECT FROM kms.key_versions v
		WHERE v.key_id = NEW.key_id AND (v.material_kind <> 'none' OR v.state <> 'destroyed')
	) THEN
		RAISE EXCEPTION 'a destroyed key has no material, and no version that is not destroyed';
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
-- A unique index says that no other version is active.
CREATE FUNCTION "kms"."guard_active_version"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (
		SELECT FROM kms.keys k WHERE k.key_id = NEW.key_id AND k.state <> 'destroyed' AND NOT EXISTS (
			SELECT FROM kms.key_versions v
			WHERE v.key_id = k.key_id AND v.version = k.current_version AND v.state = 'active'
		)
	) THEN
		RAISE EXCEPTION 'the current version of a key is its active one';
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER "keys_active_version" AFTER INSERT OR UPDATE ON "kms"."keys"
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state <> 'destroyed')
	EXECUTE FUNCTION "kms"."guard_active_version"();
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER "key_versions_active_version" AFTER UPDATE ON "kms"."key_versions"
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state = 'active' AND NEW.state <> 'active')
	EXECUTE FUNCTION "kms"."guard_active_version"();
--> statement-breakpoint
-- Version 0 stands for the whole key, so this is no foreign key.
CREATE FUNCTION "kms"."guard_lease_insert"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM kms.key_versions v WHERE v.key_id = NEW.key_id AND v.version = NEW.version) THEN
		RAISE EXCEPTION 'a budget is that of a version that is there';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "operation_leases_insert" BEFORE INSERT ON "kms"."operation_leases"
	FOR EACH ROW WHEN (NEW.version > 0) EXECUTE FUNCTION "kms"."guard_lease_insert"();
