-- Tells every listener what changed, whoever changed it. PostgreSQL delivers notifications when the transaction commits,
-- to all listeners in the order of the commits. What is added needs no notice: nobody holds what was not there.

CREATE FUNCTION "kms"."announce_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('kms_changes', TG_ARGV[0] || ':' || (to_jsonb(NEW) ->> TG_ARGV[1]));
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "keys_announce" AFTER UPDATE ON "kms"."keys"
	FOR EACH ROW EXECUTE FUNCTION "kms"."announce_change"('key', 'key_id');
--> statement-breakpoint
CREATE TRIGGER "api_tokens_announce" AFTER UPDATE ON "kms"."api_tokens"
	FOR EACH ROW EXECUTE FUNCTION "kms"."announce_change"('token', 'token_id');
--> statement-breakpoint
CREATE TRIGGER "tenants_announce" AFTER UPDATE ON "kms"."tenants"
	FOR EACH ROW EXECUTE FUNCTION "kms"."announce_change"('tenant', 'tenant_id');
