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
			LOCK TABLE kms.api_tokens, kms.tenants
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
CREATE TABLE "kms"."token_uses" (
	"token_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid,
	"used_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "kms"."token_uses" ADD CONSTRAINT "token_uses_token_id_api_tokens_token_id_fk" FOREIGN KEY ("token_id") REFERENCES "kms"."api_tokens"("token_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."token_uses" ADD CONSTRAINT "token_uses_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_tokens_parent" ON "kms"."api_tokens" USING btree ((fields ->> 'parentTokenId')) WHERE fields ? 'parentTokenId';--> statement-breakpoint
CREATE INDEX "api_tokens_identity" ON "kms"."api_tokens" USING btree ((fields ->> '!identity')) WHERE fields ? '!identity';--> statement-breakpoint
CREATE INDEX "tenants_oldest" ON "kms"."tenants" USING btree ("created_at","tenant_id");
--> statement-breakpoint
ALTER TABLE "kms"."token_uses" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "token_uses_system" ON "kms"."token_uses" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "token_uses_tenant" ON "kms"."token_uses" FOR SELECT USING (
	(SELECT current_setting('kms.scope', true)) = 'tenant' AND
	tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid)
);
--> statement-breakpoint
GRANT SELECT, INSERT ON "kms"."token_uses" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("used_at") ON "kms"."token_uses" TO "kms_app";
--> statement-breakpoint
-- A token is revoked once, and before that it may be replaced once, which gives it an end. Neither is ever taken back.
CREATE OR REPLACE FUNCTION "kms"."guard_token_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	changes CONSTANT text[] := ARRAY['revoked_at', 'mac_format', 'mac_tmk_version', 'mac_tag'];
BEGIN
	IF OLD.revoked_at IS NOT NULL THEN
		RAISE EXCEPTION 'a token can only be revoked, and once';
	END IF;
	IF NEW.revoked_at IS NULL THEN
		IF OLD.fields ? '!overlapEnd' OR NOT NEW.fields ? '!overlapEnd' OR NEW.fields - '!overlapEnd' <> OLD.fields
			OR to_jsonb(NEW) - changes - 'fields' <> to_jsonb(OLD) - changes - 'fields' THEN
			RAISE EXCEPTION 'a token can only be revoked, or replaced once';
		END IF;
	ELSIF to_jsonb(NEW) - changes <> to_jsonb(OLD) - changes THEN
		RAISE EXCEPTION 'a token can only be revoked, and once';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
GRANT UPDATE ("fields") ON "kms"."api_tokens" TO "kms_app";
