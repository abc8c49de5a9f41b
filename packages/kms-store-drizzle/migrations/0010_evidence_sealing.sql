-- In the order in which a batch is sealed. Inserts never pause under load, so this has to queue for the tables, but not for long:
-- whoever comes later queues behind it, and an earlier migration of the same run may hold what somebody with one of these waits for.
DO $$
DECLARE
	since timestamptz := clock_timestamp();
	lock_timeout_before text := current_setting('lock_timeout');
BEGIN
	PERFORM set_config('lock_timeout', '300ms', true);
	LOOP
		BEGIN
			LOCK TABLE kms.evidence_chains, kms.evidence_outbox, kms.evidence_checkpoints, kms.evidence_events
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
DROP INDEX "kms"."evidence_outbox_tenant";--> statement-breakpoint
ALTER TABLE "kms"."evidence_outbox" DROP CONSTRAINT "evidence_outbox_pkey";--> statement-breakpoint
ALTER TABLE "kms"."evidence_outbox" ADD CONSTRAINT "evidence_outbox_pkey" PRIMARY KEY("tenant_id","id");
--> statement-breakpoint
DROP TRIGGER "evidence_outbox_removal" ON "kms"."evidence_outbox";
--> statement-breakpoint
-- Once for all rows of a statement. The query is planned each time: PL/pgSQL would keep a plan from when the events were few,
-- that reads all of them.
CREATE OR REPLACE FUNCTION "kms"."guard_outbox_removal"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	missing boolean;
BEGIN
	EXECUTE 'SELECT EXISTS (
		SELECT FROM removed r WHERE NOT EXISTS (
			SELECT FROM kms.evidence_events e WHERE e.tenant_id = r.tenant_id AND e.event_id = r.event_id
		)
	)' INTO missing;
	IF missing THEN
		RAISE EXCEPTION 'an event leaves the outbox only into its chain';
	END IF;
	RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "evidence_outbox_removal" AFTER DELETE ON "kms"."evidence_outbox"
	REFERENCING OLD TABLE AS "removed"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."guard_outbox_removal"();
--> statement-breakpoint
-- Nodes that are older than this migration go on with append_evidence.
CREATE FUNCTION "kms"."add_events"(tenants uuid[], ids uuid[], events json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO kms.evidence_outbox (tenant_id, event_id, event)
		SELECT e.tenant_id, e.event_id, e.event::text
		FROM ROWS FROM (unnest(tenants), unnest(ids), json_array_elements(events)) AS e (tenant_id, event_id, event);
END $$;
--> statement-breakpoint
-- One round trip for the write that answers wait for: takes role and scope and adds the events.
CREATE FUNCTION "kms"."append_events"(tenants uuid[], ids uuid[], events json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'kms_app', true), set_config('kms.scope', 'system', true), set_config('kms.tenant_id', '', true);
	PERFORM kms.add_events(tenants, ids, events);
END $$;
--> statement-breakpoint
-- In the order of the primary key, so that no more rows are read than asked for: without sorts there is no other way.
CREATE FUNCTION "kms"."unsealed_events"(of_tenant uuid, most integer) RETURNS TABLE ("id" bigint, "event" text)
	LANGUAGE plpgsql STABLE SET enable_sort = off AS $$
BEGIN
	RETURN QUERY SELECT o.id, o.event FROM kms.evidence_outbox o WHERE o.tenant_id = of_tenant ORDER BY o.id LIMIT most;
END $$;
--> statement-breakpoint
-- The comparison goes within the subquery: the planner takes a boolean that it does not know for half of all rows, and an
-- equality of texts for one row in two hundred, which makes it sort all rows of a tenant to find the first hundred.
DO $$
DECLARE
	kms_table text;
BEGIN
	FOREACH kms_table IN ARRAY ARRAY['evidence_outbox', 'evidence_chains', 'evidence_checkpoints', 'evidence_events'] LOOP
		EXECUTE format(
			'ALTER POLICY %I ON kms.%I USING ((SELECT current_setting(''kms.scope'', true) = ''system''))',
			kms_table || '_system', kms_table
		);
		EXECUTE format(
			'ALTER POLICY %I ON kms.%I USING ('
			'(SELECT current_setting(''kms.scope'', true) = ''tenant'') AND '
			'tenant_id = (SELECT nullif(current_setting(''kms.tenant_id'', true), '''')::uuid))',
			kms_table || '_tenant', kms_table
		);
	END LOOP;
END $$;
