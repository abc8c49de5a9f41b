-- In the strongest mode at once: to wait for a stronger one with a weaker one in hand is how deadlocks come about.
LOCK TABLE "kms"."api_tokens" IN ACCESS EXCLUSIVE MODE;
--> statement-breakpoint
CREATE INDEX "api_tokens_expired" ON "kms"."api_tokens" USING btree ("expires_at","token_id") WHERE "kms"."api_tokens"."tenant_id" is not null and "kms"."api_tokens"."expires_at" is not null;--> statement-breakpoint
-- Rows of tokens stay, but those of tenants that expired before a time that the service names in its transaction: to put
-- such a row back, as it was at any time, gives a token that expired. A revoked one that did not expire would be valid again, and
-- so would one of the platform: the token of the configuration, once revoked, would be made again.
DROP TRIGGER "api_tokens_stay" ON "kms"."api_tokens";
--> statement-breakpoint
CREATE TRIGGER "api_tokens_stay" BEFORE TRUNCATE ON "kms"."api_tokens"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_token_removal"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	expired_before timestamptz := nullif(current_setting('kms.remove_tokens_before', true), '')::timestamptz;
BEGIN
	IF OLD.tenant_id IS NOT NULL AND current_setting('kms.scope', true) = 'system'
		AND OLD.expires_at < expired_before AND expired_before <= now() THEN
		RETURN OLD;
	END IF;
	RAISE EXCEPTION 'only tokens of tenants that expired long ago are removed';
END $$;
--> statement-breakpoint
CREATE TRIGGER "api_tokens_remove" BEFORE DELETE ON "kms"."api_tokens"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_token_removal"();
--> statement-breakpoint
GRANT DELETE ON "kms"."api_tokens" TO "kms_app";
