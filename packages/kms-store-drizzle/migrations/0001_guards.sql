-- What a column or a foreign key can't say. Errors of class KM carry a meaning for the store:
-- KM001 means that the tenant was shredded.

ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_current_version_exists"
	FOREIGN KEY ("key_id", "current_version") REFERENCES "kms"."key_versions" ("key_id", "version")
	DEFERRABLE INITIALLY DEFERRED;
--> statement-breakpoint
CREATE FUNCTION "kms"."refuse_removal"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'rows of kms.% are never removed', TG_TABLE_NAME;
END $$;
--> statement-breakpoint
CREATE TRIGGER "keys_stay" BEFORE DELETE OR TRUNCATE ON "kms"."keys"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE TRIGGER "key_versions_stay" BEFORE DELETE OR TRUNCATE ON "kms"."key_versions"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE TRIGGER "operation_leases_stay" BEFORE DELETE OR TRUNCATE ON "kms"."operation_leases"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE TRIGGER "tenants_stay" BEFORE DELETE OR TRUNCATE ON "kms"."tenants"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE TRIGGER "api_tokens_stay" BEFORE DELETE OR TRUNCATE ON "kms"."api_tokens"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_key_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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
CREATE TRIGGER "keys_change" BEFORE UPDATE ON "kms"."keys"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_key_change"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_destroyed_key"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM kms.key_versions v WHERE v.key_id = NEW.key_id AND v.material_kind <> 'none') THEN
		RAISE EXCEPTION 'a destroyed key has no material';
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE CONSTRAINT TRIGGER "keys_destroyed" AFTER INSERT OR UPDATE ON "kms"."keys"
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'destroyed')
	EXECUTE FUNCTION "kms"."guard_destroyed_key"();
--> statement-breakpoint
CREATE FUNCTION "kms"."require_active_tenant"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	tenant_state text;
BEGIN
	-- The lock makes a shred that runs at the same moment wait, so that nothing sealed is left behind it. A change of a
	-- key takes it before it touches versions, as a shred does: the two can't wait for each other.
	SELECT t.state INTO tenant_state FROM kms.tenants t WHERE t.tenant_id = NEW.tenant_id FOR SHARE;
	IF tenant_state = 'shredded' THEN
		RAISE EXCEPTION 'the tenant was shredded' USING ERRCODE = 'KM001';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "tenant_master_key_wraps_tenant" BEFORE INSERT ON "kms"."tenant_master_key_wraps"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
CREATE TRIGGER "keys_tenant" BEFORE UPDATE ON "kms"."keys"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
CREATE TRIGGER "key_versions_tenant" BEFORE INSERT ON "kms"."key_versions"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_version_insert"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.version > 1 AND NOT EXISTS (
		SELECT FROM kms.key_versions v WHERE v.key_id = NEW.key_id AND v.version = NEW.version - 1
	) THEN
		RAISE EXCEPTION 'versions count without gaps';
	END IF;
	IF NEW.material_kind <> 'none' AND EXISTS (
		SELECT FROM kms.keys k WHERE k.key_id = NEW.key_id AND k.state = 'destroyed'
	) THEN
		RAISE EXCEPTION 'a destroyed key has no material';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "key_versions_insert" BEFORE INSERT ON "kms"."key_versions"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_version_insert"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_version_change"() RETURNS trigger LANGUAGE plpgsql AS $$
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
		IS DISTINCT FROM (OLD.material_kind, OLD.tmk_version, OLD.sealed, OLD.handle) THEN
		RAISE EXCEPTION 'the material of a version can only go away';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "key_versions_change" BEFORE UPDATE ON "kms"."key_versions"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_version_change"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_lease_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF (NEW.tenant_id, NEW.key_id, NEW.version) IS DISTINCT FROM (OLD.tenant_id, OLD.key_id, OLD.version)
		OR NEW.granted <> OLD.granted + NEW.last_grant THEN
		RAISE EXCEPTION 'a budget is counted in one direction';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "operation_leases_change" BEFORE UPDATE ON "kms"."operation_leases"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_lease_change"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_tenant_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF (NEW.tenant_id, NEW.created_at) IS DISTINCT FROM (OLD.tenant_id, OLD.created_at)
		OR (OLD.state = 'shredded' AND NEW.state <> 'shredded') THEN
		RAISE EXCEPTION 'a tenant keeps its identity, and a shredded one stays shredded';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "tenants_change" BEFORE UPDATE ON "kms"."tenants"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_tenant_change"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_token_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.revoked_at IS NOT NULL OR to_jsonb(NEW) - 'revoked_at' <> to_jsonb(OLD) - 'revoked_at' THEN
		RAISE EXCEPTION 'a token can only be revoked, and once';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "api_tokens_change" BEFORE UPDATE ON "kms"."api_tokens"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_token_change"();
