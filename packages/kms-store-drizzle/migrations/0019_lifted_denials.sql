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
			LOCK TABLE kms.identity_denials
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
CREATE INDEX "identity_denials_newest" ON "kms"."identity_denials" USING btree ("tenant_id","created_at","denial_id");
--> statement-breakpoint
-- A denial that was lifted stays so: only when, and by whom, can be written again, which is how one ends that somebody else wrote.
CREATE OR REPLACE FUNCTION "kms"."guard_denial_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	macs CONSTANT text[] := ARRAY['mac_format', 'mac_tmk_version', 'mac_tag'];
	lifted CONSTANT text[] := ARRAY['liftedAt', 'liftedBy'];
BEGIN
	IF NEW.mac_tmk_version > OLD.mac_tmk_version AND to_jsonb(NEW) - macs = to_jsonb(OLD) - macs THEN
		RETURN NEW;
	END IF;
	IF NOT NEW.fields ? 'liftedAt' OR NEW.fields - lifted <> OLD.fields - lifted
		OR to_jsonb(NEW) - macs - 'fields' <> to_jsonb(OLD) - macs - 'fields' THEN
		RAISE EXCEPTION 'an identity denial only ever gets its MAC under a later master key, or is lifted';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
DROP TRIGGER "identity_denials_announce" ON "kms"."identity_denials";
--> statement-breakpoint
CREATE TRIGGER "identity_denials_announce" AFTER INSERT OR UPDATE OR DELETE ON "kms"."identity_denials"
	FOR EACH ROW EXECUTE FUNCTION "kms"."announce_identity"();
--> statement-breakpoint
GRANT UPDATE ("fields") ON "kms"."identity_denials" TO "kms_app";
