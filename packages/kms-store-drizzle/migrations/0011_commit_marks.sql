CREATE TABLE "kms"."commit_marks" (
	"holder" uuid NOT NULL,
	"slot" integer NOT NULL,
	"count" bigint NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "commit_marks_pkey" PRIMARY KEY("holder","slot")
);
--> statement-breakpoint
ALTER TABLE "kms"."database_copies" ADD COLUMN "cause" text DEFAULT 'place' NOT NULL;--> statement-breakpoint
ALTER TABLE "kms"."database_copies" ADD CONSTRAINT "database_copies_cause" CHECK ("kms"."database_copies"."cause" in ('place', 'behind'));--> statement-breakpoint
-- Few rows, each written again and again.
ALTER TABLE "kms"."commit_marks" SET (fillfactor = 50);
--> statement-breakpoint
ALTER TABLE "kms"."commit_marks" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "commit_marks_system" ON "kms"."commit_marks" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
GRANT SELECT, INSERT, DELETE ON "kms"."commit_marks" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("count", "at") ON "kms"."commit_marks" TO "kms_app";
--> statement-breakpoint
-- Sent along with COMMIT. Counts the unit of work at hand for the connection that it ran on; one that wrote nothing leaves
-- nothing. The scope is given back, because triggers that are deferred to the end still work under it.
CREATE FUNCTION "kms"."note_commit"(of_holder uuid, in_slot integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	scope text := current_setting('kms.scope', true);
	noted bigint;
BEGIN
	IF pg_current_xact_id_if_assigned() IS NULL THEN
		RETURN NULL;
	END IF;
	-- What the connecting user saw when the unit began, where somebody asked for it.
	IF current_setting('kms.has_standby', true) = 'no' THEN
		RAISE EXCEPTION 'the primary has no synchronous standby' USING ERRCODE = 'KM002';
	END IF;
	PERFORM set_config('kms.scope', 'system', true);
	INSERT INTO kms.commit_marks AS m (holder, slot, count, at) VALUES (of_holder, in_slot, 1, transaction_timestamp())
		ON CONFLICT (holder, slot) DO UPDATE SET count = m.count + 1, at = excluded.at
		RETURNING m.count INTO noted;
	PERFORM set_config('kms.scope', scope, true);
	RETURN noted;
END $$;
--> statement-breakpoint
-- One round trip for the look at what is counted here: for one process, and for those that committed last beside it.
CREATE FUNCTION "kms"."noted_commits"(of_holder uuid, others integer) RETURNS TABLE ("holder" uuid, "slot" integer, "count" bigint)
	LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'kms_app', true), set_config('kms.scope', 'system', true), set_config('kms.tenant_id', '', true);
	RETURN QUERY SELECT m.holder, m.slot, m.count FROM kms.commit_marks m
		WHERE m.holder = of_holder OR m.holder IN (
			SELECT o.holder FROM kms.commit_marks o WHERE o.holder <> of_holder
			GROUP BY o.holder ORDER BY max(o.at) DESC LIMIT others
		);
END $$;
--> statement-breakpoint
-- A process that found that commits are missing says so for all of them: this is another place from then on.
GRANT UPDATE ("place") ON "kms"."database_copies" TO "kms_app";
