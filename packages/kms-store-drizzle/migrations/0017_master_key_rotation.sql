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
			LOCK TABLE kms.tenants, kms.tenant_master_key_wraps, kms.keys, kms.key_versions, kms.identity_bindings,
				kms.identity_denials IN ACCESS EXCLUSIVE MODE;
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
DROP INDEX "kms"."key_versions_sealed_of_tenant";--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD COLUMN "oldest_tmk_version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
CREATE INDEX "identity_bindings_by_master_key" ON "kms"."identity_bindings" USING btree ("tenant_id","mac_tmk_version","binding_id");--> statement-breakpoint
CREATE INDEX "identity_denials_by_master_key" ON "kms"."identity_denials" USING btree ("tenant_id","mac_tmk_version","denial_id");--> statement-breakpoint
CREATE INDEX "key_versions_by_master_key" ON "kms"."key_versions" USING btree ("tenant_id","tmk_version","key_id") WHERE "kms"."key_versions"."material_kind" = 'sealed';--> statement-breakpoint
CREATE INDEX "keys_by_master_key" ON "kms"."keys" USING btree ("tenant_id","mac_tmk_version","key_id");--> statement-breakpoint
ALTER TABLE "kms"."tenants" ADD CONSTRAINT "tenants_oldest_tmk_version" CHECK ("kms"."tenants"."oldest_tmk_version" >= 1);
--> statement-breakpoint
-- Errors of class KM003 mean that something is written under a version of a tenant's master key that was destroyed. Whoever
-- destroys one waits for the lock that is taken here, so nothing is written under it that it has not seen.
CREATE FUNCTION "kms"."require_master_key"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	tenant_state text;
	oldest integer;
	named integer;
BEGIN
	-- As in require_active_tenant.
	SELECT t.state, t.oldest_tmk_version INTO tenant_state, oldest FROM kms.tenants t WHERE t.tenant_id = NEW.tenant_id FOR SHARE;
	IF tenant_state = 'shredded' THEN
		RAISE EXCEPTION 'the tenant was shredded' USING ERRCODE = 'KM001';
	END IF;
	IF TG_ARGV[0] = 'mac' THEN
		named := NEW.mac_tmk_version;
	ELSE
		named := NEW.tmk_version;
	END IF;
	IF named < oldest THEN
		RAISE EXCEPTION 'version % of the master key was destroyed', named USING ERRCODE = 'KM003';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
DROP TRIGGER "tenant_master_key_wraps_tenant" ON "kms"."tenant_master_key_wraps";
--> statement-breakpoint
CREATE TRIGGER "tenant_master_key_wraps_tenant" BEFORE INSERT ON "kms"."tenant_master_key_wraps"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_master_key"('tmk');
--> statement-breakpoint
DROP TRIGGER "keys_tenant" ON "kms"."keys";
--> statement-breakpoint
CREATE TRIGGER "keys_tenant" BEFORE INSERT OR UPDATE ON "kms"."keys"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_master_key"('mac');
--> statement-breakpoint
DROP TRIGGER "key_versions_tenant" ON "kms"."key_versions";
--> statement-breakpoint
CREATE TRIGGER "key_versions_tenant" BEFORE INSERT ON "kms"."key_versions"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_master_key"('tmk');
--> statement-breakpoint
DROP TRIGGER "identity_bindings_tenant" ON "kms"."identity_bindings";
--> statement-breakpoint
CREATE TRIGGER "identity_bindings_tenant" BEFORE INSERT OR UPDATE ON "kms"."identity_bindings"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_master_key"('mac');
--> statement-breakpoint
DROP TRIGGER "identity_denials_tenant" ON "kms"."identity_denials";
--> statement-breakpoint
CREATE TRIGGER "identity_denials_tenant" BEFORE INSERT OR UPDATE ON "kms"."identity_denials"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_master_key"('mac');
--> statement-breakpoint
-- What is sealed again stays what it was: only its MAC and what is sealed change, and never back to an earlier master key.
CREATE OR REPLACE FUNCTION "kms"."guard_key_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	macs CONSTANT text[] := ARRAY['mac_format', 'mac_tmk_version', 'mac_tag'];
BEGIN
	IF NEW.revision = OLD.revision AND NEW.mac_tmk_version >= OLD.mac_tmk_version
		AND to_jsonb(NEW) - macs = to_jsonb(OLD) - macs THEN
		RETURN NEW;
	END IF;
	IF (NEW.key_id, NEW.tenant_id, NEW.created_at) IS DISTINCT FROM (OLD.key_id, OLD.tenant_id, OLD.created_at) THEN
		RAISE EXCEPTION 'the identity of a key never changes';
	END IF;
	IF NEW.revision <> OLD.revision + 1 THEN
		RAISE EXCEPTION 'a change raises the revision by one';
	END IF;
	IF OLD.state = 'destroyed' OR (OLD.state = 'revoked' AND NEW.state NOT IN ('revoked', 'destroyed')) THEN
		RAISE EXCEPTION 'a key that is % does not become %', OLD.state, NEW.state;
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "kms"."guard_version_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	states CONSTANT text[] := ARRAY['active', 'decrypt-only', 'deactivated', 'destroyed'];
BEGIN
	IF (NEW.tenant_id, NEW.key_id, NEW.version, NEW.algorithm, NEW.origin, NEW.provider, NEW.public_key, NEW.created_at)
		IS DISTINCT FROM
		(OLD.tenant_id, OLD.key_id, OLD.version, OLD.algorithm, OLD.origin, OLD.provider, OLD.public_key, OLD.created_at) THEN
		RAISE EXCEPTION 'a version never changes but in its state';
	END IF;
	IF array_position(states, NEW.state) < array_position(states, OLD.state) THEN
		RAISE EXCEPTION 'a version that is % does not become %', OLD.state, NEW.state;
	END IF;
	IF NEW.material_kind <> 'none' AND (NEW.material_kind, NEW.tmk_version, NEW.sealed, NEW.handle)
		IS DISTINCT FROM (OLD.material_kind, OLD.tmk_version, OLD.sealed, OLD.handle)
		AND NOT (OLD.material_kind = 'sealed' AND NEW.material_kind = 'sealed' AND NEW.tmk_version > OLD.tmk_version
			AND NEW.sealed <> OLD.sealed) THEN
		RAISE EXCEPTION 'the material of a version can only go away, or be sealed under a later master key';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "kms"."guard_binding_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	macs CONSTANT text[] := ARRAY['mac_format', 'mac_tmk_version', 'mac_tag'];
BEGIN
	IF NEW.mac_tmk_version > OLD.mac_tmk_version AND to_jsonb(NEW) - macs = to_jsonb(OLD) - macs THEN
		RETURN NEW;
	END IF;
	IF OLD.removed_at IS NOT NULL OR NEW.removed_at IS NULL
		OR to_jsonb(NEW) - macs - 'removed_at' <> to_jsonb(OLD) - macs - 'removed_at' THEN
		RAISE EXCEPTION 'an identity binding can only be removed, and once';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_denial_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	macs CONSTANT text[] := ARRAY['mac_format', 'mac_tmk_version', 'mac_tag'];
BEGIN
	IF NEW.mac_tmk_version <= OLD.mac_tmk_version OR to_jsonb(NEW) - macs <> to_jsonb(OLD) - macs THEN
		RAISE EXCEPTION 'an identity denial only ever gets its MAC under a later master key';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "identity_denials_change" BEFORE UPDATE ON "kms"."identity_denials"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_denial_change"();
--> statement-breakpoint
GRANT UPDATE ("mac_format", "mac_tmk_version", "mac_tag") ON "kms"."identity_denials" TO "kms_app";
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "kms"."guard_tenant_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF (NEW.tenant_id, NEW.created_at) IS DISTINCT FROM (OLD.tenant_id, OLD.created_at)
		OR (OLD.state = 'shredded' AND NEW.state <> 'shredded') THEN
		RAISE EXCEPTION 'a tenant keeps its identity, and a shredded one stays shredded';
	END IF;
	IF NEW.oldest_tmk_version < OLD.oldest_tmk_version THEN
		RAISE EXCEPTION 'a version of a master key that was destroyed does not come back';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
GRANT UPDATE ("oldest_tmk_version") ON "kms"."tenants" TO "kms_app";
