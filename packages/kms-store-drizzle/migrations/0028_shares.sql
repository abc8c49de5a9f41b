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
			LOCK TABLE kms.idempotency_keys, kms.tenants IN SHARE ROW EXCLUSIVE MODE;
			LOCK TABLE kms.identity_bindings IN ACCESS EXCLUSIVE MODE;
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
CREATE TABLE "kms"."answer_counts" (
	"tenant_id" uuid NOT NULL,
	"slot" uuid DEFAULT gen_random_uuid() NOT NULL,
	"answers" bigint NOT NULL,
	CONSTRAINT "answer_counts_pkey" PRIMARY KEY("tenant_id","slot")
);
--> statement-breakpoint
ALTER TABLE "kms"."answer_counts" ADD CONSTRAINT "answer_counts_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
INSERT INTO "kms"."answer_counts" ("tenant_id", "answers")
	SELECT k.tenant_id, count(*) FROM "kms"."idempotency_keys" k WHERE k.answer IS NOT NULL GROUP BY k.tenant_id;
--> statement-breakpoint
ALTER TABLE "kms"."answer_counts" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "answer_counts_system" ON "kms"."answer_counts" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "answer_counts_tenant" ON "kms"."answer_counts" USING ((SELECT current_setting('kms.scope', true)) = 'tenant'
	AND tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid));
--> statement-breakpoint
GRANT SELECT, INSERT ON "kms"."answer_counts" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("answers") ON "kms"."answer_counts" TO "kms_app";
--> statement-breakpoint
-- In a row of the count that nobody else counts in at the moment: nobody waits for another.
CREATE FUNCTION "kms"."add_to_answer_count"(of_tenant uuid, change bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE kms.answer_counts c SET answers = c.answers + change WHERE c.tenant_id = of_tenant AND c.slot = (
		SELECT f.slot FROM kms.answer_counts f WHERE f.tenant_id = of_tenant LIMIT 1 FOR UPDATE SKIP LOCKED
	);
	IF NOT FOUND THEN
		INSERT INTO kms.answer_counts (tenant_id, answers) VALUES (of_tenant, change);
	END IF;
END $$;
--> statement-breakpoint
CREATE FUNCTION "kms"."count_answer"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kms.add_to_answer_count(NEW.tenant_id, CASE WHEN NEW.answer IS NULL THEN -1 ELSE 1 END);
	RETURN NEW;
END $$;
--> statement-breakpoint
-- Before the change is made, so that a claim of a key whose answer has expired no longer counts that when it looks for room.
CREATE TRIGGER "idempotency_keys_count_kept" BEFORE UPDATE ON "kms"."idempotency_keys"
	FOR EACH ROW WHEN ((OLD.answer IS NULL) <> (NEW.answer IS NULL)) EXECUTE FUNCTION "kms"."count_answer"();
--> statement-breakpoint
-- Claims add no answer: this is for rows that are put back.
CREATE TRIGGER "idempotency_keys_count_added" AFTER INSERT ON "kms"."idempotency_keys"
	FOR EACH ROW WHEN (NEW.answer IS NOT NULL) EXECUTE FUNCTION "kms"."count_answer"();
--> statement-breakpoint
-- For each statement, not for each row: to change one row again and again in a transaction that removes many takes longer each time.
CREATE FUNCTION "kms"."count_removed_answers"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM kms.add_to_answer_count(r.tenant_id, -count(*)) FROM removed r WHERE r.answer IS NOT NULL GROUP BY r.tenant_id;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "idempotency_keys_count_removed" AFTER DELETE ON "kms"."idempotency_keys" REFERENCING OLD TABLE AS removed
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."count_removed_answers"();
--> statement-breakpoint
-- Whether one more answer may be kept for a tenant, as a part of the statement that claims its key: as require_room_for_key, which says
-- why. Each transaction keeps one. Answers that have expired are in the count until they are removed; no more of them are looked for than
-- would make room. What is refused says after how many seconds there is some.
CREATE FUNCTION "kms"."require_room_for_answer"(of_tenant uuid, at_most bigint, at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	under_way CONSTANT bigint := current_setting('max_connections')::bigint;
	lock_name CONSTANT bigint := hashtextextended('qnsp-kms keptAnswers ' || of_tenant, 0);
	used bigint;
	seconds bigint;
BEGIN
	IF at_most IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT coalesce(sum(c.answers), 0) INTO used FROM kms.answer_counts c WHERE c.tenant_id = of_tenant;
	IF used <= at_most - 2 * under_way AND pg_try_advisory_xact_lock_shared(lock_name) THEN
		SELECT coalesce(sum(c.answers), 0) INTO used FROM kms.answer_counts c WHERE c.tenant_id = of_tenant;
		IF used <= at_most - under_way THEN
			RETURN used;
		END IF;
		RAISE EXCEPTION 'the tenant came close to its limit in this moment' USING ERRCODE = 'serialization_failure';
	END IF;
	PERFORM pg_advisory_xact_lock(lock_name);
	SELECT coalesce(sum(c.answers), 0) INTO used FROM kms.answer_counts c WHERE c.tenant_id = of_tenant;
	IF used < at_most THEN
		RETURN used;
	END IF;
	used := used - (SELECT count(*) FROM (
		SELECT FROM kms.idempotency_keys k WHERE k.tenant_id = of_tenant AND k.expires_at <= at LIMIT used - at_most + 1
	) expired);
	IF used < at_most THEN
		RETURN used;
	END IF;
	SELECT ceil(extract(epoch FROM k.expires_at - at)) INTO seconds FROM kms.idempotency_keys k
		WHERE k.tenant_id = of_tenant AND k.expires_at > at ORDER BY k.expires_at LIMIT 1 OFFSET used - at_most;
	RAISE EXCEPTION '%', json_build_object(
		'limit', 'keptAnswers', 'maximum', at_most, 'used', used, 'retryAfterSeconds', greatest(coalesce(seconds, 1), 1)
	) USING ERRCODE = 'KM004';
END $$;
--> statement-breakpoint
DROP INDEX "kms"."identity_bindings_removed";
--> statement-breakpoint
CREATE INDEX "identity_bindings_removed" ON "kms"."identity_bindings" USING btree ("found_by","tenant_id","removed_at") WHERE "kms"."identity_bindings"."removed_at" is not null;
--> statement-breakpoint
CREATE INDEX "identity_bindings_removed_of_tenant" ON "kms"."identity_bindings" USING btree ("tenant_id") WHERE "kms"."identity_bindings"."removed_at" is not null;
--> statement-breakpoint
-- How many of a kind a tenant has, without the one that is being added. A removed binding stays, as its row from before must not come back:
-- there are so many of those, too.
CREATE OR REPLACE FUNCTION "kms"."used_room"(kind text, own uuid, of_tenant uuid) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	CASE kind
		WHEN 'tokens' THEN
			RETURN (SELECT count(*) FROM kms.api_tokens t
				WHERE t.tenant_id = of_tenant AND t.token_id <> own AND t.revoked_at IS NULL AND NOT t.fields ? '!overlapEnd'
					AND (t.expires_at IS NULL OR t.expires_at > now()));
		WHEN 'identityBindings' THEN
			RETURN (SELECT count(*) FROM kms.identity_bindings b
				WHERE b.tenant_id = of_tenant AND b.binding_id <> own AND b.removed_at IS NULL);
		WHEN 'removedIdentityBindings' THEN
			RETURN (SELECT count(*) FROM kms.identity_bindings b
				WHERE b.tenant_id = of_tenant AND b.removed_at IS NOT NULL);
		WHEN 'identityDenials' THEN
			RETURN (SELECT count(*) FROM kms.identity_denials d WHERE d.tenant_id = of_tenant AND d.denial_id <> own);
	END CASE;
END $$;
