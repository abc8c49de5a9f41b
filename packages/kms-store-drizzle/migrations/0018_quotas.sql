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
			LOCK TABLE kms.keys, kms.api_tokens, kms.tenants
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
CREATE TABLE "kms"."key_counts" (
	"tenant_id" uuid NOT NULL,
	"slot" uuid DEFAULT gen_random_uuid() NOT NULL,
	"keys" bigint NOT NULL,
	CONSTRAINT "key_counts_pkey" PRIMARY KEY("tenant_id","slot")
);
--> statement-breakpoint
ALTER TABLE "kms"."key_counts" ADD CONSTRAINT "key_counts_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_tokens_in_use" ON "kms"."api_tokens" USING btree ("tenant_id","expires_at") WHERE "kms"."api_tokens"."revoked_at" is null and not fields ? '!overlapEnd';
--> statement-breakpoint
INSERT INTO "kms"."key_counts" ("tenant_id", "keys")
	SELECT k.tenant_id, count(*) FROM "kms"."keys" k WHERE k.state <> 'destroyed' GROUP BY k.tenant_id;
--> statement-breakpoint
ALTER TABLE "kms"."key_counts" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "key_counts_system" ON "kms"."key_counts" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "key_counts_tenant" ON "kms"."key_counts" USING ((SELECT current_setting('kms.scope', true)) = 'tenant'
	AND tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid));
--> statement-breakpoint
GRANT SELECT, INSERT ON "kms"."key_counts" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("keys") ON "kms"."key_counts" TO "kms_app";
--> statement-breakpoint
-- In a row of the count that nobody else counts in at the moment: nobody waits for another.
CREATE FUNCTION "kms"."add_to_key_count"(of_tenant uuid, change bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE kms.key_counts c SET keys = c.keys + change WHERE c.tenant_id = of_tenant AND c.slot = (
		SELECT f.slot FROM kms.key_counts f WHERE f.tenant_id = of_tenant LIMIT 1 FOR UPDATE SKIP LOCKED
	);
	IF NOT FOUND THEN
		INSERT INTO kms.key_counts (tenant_id, keys) VALUES (of_tenant, change);
	END IF;
END $$;
--> statement-breakpoint
-- For each statement, not for each row: to change one row again and again in a transaction that adds many keys takes longer each time.
CREATE FUNCTION "kms"."count_new_keys"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kms.add_to_key_count(a.tenant_id, count(*)) FROM added a WHERE a.state <> 'destroyed' GROUP BY a.tenant_id;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "keys_count_new" AFTER INSERT ON "kms"."keys" REFERENCING NEW TABLE AS added
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."count_new_keys"();
--> statement-breakpoint
CREATE FUNCTION "kms"."count_destroyed_key"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kms.add_to_key_count(NEW.tenant_id, -1);
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "keys_count_destroyed" AFTER UPDATE ON "kms"."keys"
	FOR EACH ROW WHEN (OLD.state <> 'destroyed' AND NEW.state = 'destroyed') EXECUTE FUNCTION "kms"."count_destroyed_key"();
--> statement-breakpoint
-- KM004: the tenant has as many as it may. The message says what and how many, in JSON.
CREATE FUNCTION "kms"."refuse_one_more"(kind text, at_most bigint, used bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION '%', json_build_object('limit', kind, 'maximum', at_most, 'used', used) USING ERRCODE = 'KM004';
END $$;
--> statement-breakpoint
-- Whether a tenant may have one more key, as a part of the statement that adds it.
--
-- The count does not show what transactions under way have added. There are no more of them than connections, and each adds one key: as
-- long as there is room for all of those, they add without waiting for one another, under a shared lock. Close to the limit each takes the
-- lock alone, which waits for those that are under way, and what it counts is all there is.
CREATE FUNCTION "kms"."require_room_for_key"(of_tenant uuid, parent uuid, at_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	under_way CONSTANT bigint := current_setting('max_connections')::bigint;
	lock_name CONSTANT bigint := hashtextextended('qnsp-kms keys ' || of_tenant, 0);
	used bigint;
BEGIN
	IF at_most IS NULL THEN
		RETURN NULL;
	END IF;
	-- The foreign key locks it at the end of the statement. Whoever changes the parent must not wait for this one then.
	IF parent IS NOT NULL THEN
		PERFORM FROM kms.keys k WHERE k.key_id = parent FOR KEY SHARE;
	END IF;
	SELECT sum(c.keys) INTO used FROM kms.key_counts c WHERE c.tenant_id = of_tenant;
	IF coalesce(used, 0) <= at_most - 2 * under_way AND pg_try_advisory_xact_lock_shared(lock_name) THEN
		-- Again: before the lock was taken, the count may have been from any time.
		SELECT sum(c.keys) INTO used FROM kms.key_counts c WHERE c.tenant_id = of_tenant;
		IF coalesce(used, 0) <= at_most - under_way THEN
			RETURN used;
		END IF;
		-- Who holds the lock with others does not get it alone. This takes that many new keys between two statements.
		RAISE EXCEPTION 'the tenant came close to its limit in this moment' USING ERRCODE = 'serialization_failure';
	END IF;
	PERFORM pg_advisory_xact_lock(lock_name);
	SELECT sum(c.keys) INTO used FROM kms.key_counts c WHERE c.tenant_id = of_tenant;
	IF coalesce(used, 0) >= at_most THEN
		PERFORM kms.refuse_one_more('keys', at_most, used);
	END IF;
	RETURN used;
END $$;
--> statement-breakpoint
-- The same for what is added more rarely: one after the other. The row that is being added is there already, and is not counted.
CREATE FUNCTION "kms"."require_room"(kind text, own uuid, of_tenant uuid, at_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	used bigint;
BEGIN
	IF at_most IS NULL OR of_tenant IS NULL THEN
		RETURN NULL;
	END IF;
	PERFORM pg_advisory_xact_lock(hashtextextended('qnsp-kms ' || kind || ' ' || of_tenant, 0));
	CASE kind
		WHEN 'tokens' THEN
			SELECT count(*) INTO used FROM kms.api_tokens t
			WHERE t.tenant_id = of_tenant AND t.token_id <> own AND t.revoked_at IS NULL AND NOT t.fields ? '!overlapEnd'
				AND (t.expires_at IS NULL OR t.expires_at > now());
		WHEN 'identityBindings' THEN
			SELECT count(*) INTO used FROM kms.identity_bindings b
			WHERE b.tenant_id = of_tenant AND b.binding_id <> own AND b.removed_at IS NULL;
		WHEN 'identityDenials' THEN
			SELECT count(*) INTO used FROM kms.identity_denials d WHERE d.tenant_id = of_tenant AND d.denial_id <> own;
	END CASE;
	IF used >= at_most THEN
		PERFORM kms.refuse_one_more(kind, at_most, used);
	END IF;
	RETURN used;
END $$;
