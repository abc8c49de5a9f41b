DROP INDEX "kms"."keys_rotation_due";--> statement-breakpoint
DROP INDEX "kms"."keys_destruction_due";--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD COLUMN "mac_tmk_version" integer;--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD COLUMN "mac_tag" "bytea";--> statement-breakpoint
CREATE INDEX "keys_rotation_due" ON "kms"."keys" USING btree ("next_rotation_at","key_id") WHERE "kms"."keys"."state" = 'active' and "kms"."keys"."rotation_auto";--> statement-breakpoint
CREATE INDEX "keys_destruction_due" ON "kms"."keys" USING btree ("destroy_at","key_id") WHERE "kms"."keys"."destroy_at" is not null and "kms"."keys"."state" <> 'destroyed';--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD CONSTRAINT "api_tokens_mac" CHECK (num_nonnulls("kms"."api_tokens"."mac_tag", "kms"."api_tokens"."mac_tmk_version") in (0, 2) and octet_length("kms"."api_tokens"."mac_tag") = 32 and "kms"."api_tokens"."mac_tmk_version" >= 1);
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "kms"."guard_token_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	changes CONSTANT text[] := ARRAY['revoked_at', 'mac_tmk_version', 'mac_tag'];
BEGIN
	IF OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL OR to_jsonb(NEW) - changes <> to_jsonb(OLD) - changes THEN
		RAISE EXCEPTION 'a token can only be revoked, and once';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
GRANT UPDATE ("mac_tmk_version", "mac_tag") ON "kms"."api_tokens" TO "kms_app";
