CREATE TABLE "kms"."evidence_chains" (
	"tenant_id" uuid PRIMARY KEY NOT NULL,
	"sequence" bigint DEFAULT 0 NOT NULL,
	"hash" text NOT NULL,
	"checkpoint" text,
	"delivered" bigint DEFAULT 0 NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp (3) with time zone,
	"lease_owner" text,
	"lease_until" timestamp (3) with time zone,
	CONSTRAINT "evidence_chains_delivered" CHECK ("kms"."evidence_chains"."delivered" between 0 and "kms"."evidence_chains"."sequence")
);
--> statement-breakpoint
CREATE TABLE "kms"."evidence_checkpoints" (
	"checkpoint_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"first_sequence" bigint NOT NULL,
	"last_sequence" bigint NOT NULL,
	"sealed_at" timestamp (3) with time zone NOT NULL,
	"checkpoint" text NOT NULL,
	"refusal" text,
	"retired_at" timestamp (3) with time zone,
	CONSTRAINT "evidence_checkpoints_place" UNIQUE("tenant_id","first_sequence")
);
--> statement-breakpoint
CREATE TABLE "kms"."evidence_events" (
	"tenant_id" uuid NOT NULL,
	"sequence" bigint NOT NULL,
	"event_id" uuid NOT NULL,
	"checkpoint_id" uuid NOT NULL,
	"occurred_at" timestamp (3) with time zone NOT NULL,
	"event_type" text NOT NULL,
	"actor_id" text NOT NULL,
	"key_id" text,
	"result" text NOT NULL,
	"previous_hash" text NOT NULL,
	"hash" text NOT NULL,
	"event" text NOT NULL,
	CONSTRAINT "evidence_events_pkey" PRIMARY KEY("tenant_id","sequence"),
	CONSTRAINT "evidence_events_id" UNIQUE("tenant_id","event_id")
);
--> statement-breakpoint
CREATE TABLE "kms"."evidence_outbox" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "kms"."evidence_outbox_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tenant_id" uuid NOT NULL,
	"event_id" uuid NOT NULL,
	"event" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "kms"."evidence_events" ADD CONSTRAINT "evidence_events_checkpoint_id_evidence_checkpoints_checkpoint_id_fk" FOREIGN KEY ("checkpoint_id") REFERENCES "kms"."evidence_checkpoints"("checkpoint_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "evidence_checkpoints_retention" ON "kms"."evidence_checkpoints" USING btree ("sealed_at") WHERE "kms"."evidence_checkpoints"."retired_at" is null;--> statement-breakpoint
CREATE INDEX "evidence_checkpoints_refused" ON "kms"."evidence_checkpoints" USING btree ("tenant_id") WHERE "kms"."evidence_checkpoints"."refusal" is not null;--> statement-breakpoint
CREATE INDEX "evidence_events_key" ON "kms"."evidence_events" USING btree ("tenant_id","key_id","sequence") WHERE "kms"."evidence_events"."key_id" is not null;--> statement-breakpoint
CREATE INDEX "evidence_events_type" ON "kms"."evidence_events" USING btree ("tenant_id","event_type","sequence");--> statement-breakpoint
CREATE INDEX "evidence_events_actor" ON "kms"."evidence_events" USING btree ("tenant_id","actor_id","sequence");--> statement-breakpoint
CREATE INDEX "evidence_outbox_tenant" ON "kms"."evidence_outbox" USING btree ("tenant_id","id");
--> statement-breakpoint
-- An event never changes. It leaves the outbox when the chain has it, and the chain when retention has retired its batch.
CREATE FUNCTION "kms"."refuse_evidence_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'rows of kms.% never change', TG_TABLE_NAME;
END $$;
--> statement-breakpoint
CREATE TRIGGER "evidence_outbox_unchanged" BEFORE UPDATE OR TRUNCATE ON "kms"."evidence_outbox"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_evidence_change"();
--> statement-breakpoint
CREATE TRIGGER "evidence_events_unchanged" BEFORE UPDATE OR TRUNCATE ON "kms"."evidence_events"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_evidence_change"();
--> statement-breakpoint
CREATE TRIGGER "evidence_checkpoints_stay" BEFORE DELETE OR TRUNCATE ON "kms"."evidence_checkpoints"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE TRIGGER "evidence_chains_stay" BEFORE DELETE OR TRUNCATE ON "kms"."evidence_chains"
	FOR EACH STATEMENT EXECUTE FUNCTION "kms"."refuse_removal"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_outbox_removal"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (
		SELECT FROM kms.evidence_events e WHERE e.tenant_id = OLD.tenant_id AND e.event_id = OLD.event_id
	) THEN
		RAISE EXCEPTION 'an event leaves the outbox only into its chain';
	END IF;
	RETURN OLD;
END $$;
--> statement-breakpoint
CREATE TRIGGER "evidence_outbox_removal" BEFORE DELETE ON "kms"."evidence_outbox"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_outbox_removal"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_evidence_removal"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (
		SELECT FROM kms.evidence_checkpoints c WHERE c.checkpoint_id = OLD.checkpoint_id AND c.retired_at IS NOT NULL
	) THEN
		RAISE EXCEPTION 'only the events of a retired batch are removed';
	END IF;
	RETURN OLD;
END $$;
--> statement-breakpoint
CREATE TRIGGER "evidence_events_removal" BEFORE DELETE ON "kms"."evidence_events"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_evidence_removal"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_checkpoint_change"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	changes CONSTANT text[] := ARRAY['refusal', 'retired_at'];
BEGIN
	IF to_jsonb(NEW) - changes <> to_jsonb(OLD) - changes
		OR (OLD.retired_at IS NOT NULL AND NEW.retired_at IS DISTINCT FROM OLD.retired_at)
		OR (OLD.refusal IS NOT NULL AND NEW.refusal IS DISTINCT FROM OLD.refusal) THEN
		RAISE EXCEPTION 'a checkpoint can only be refused or retired, and once';
	END IF;
	IF NEW.retired_at IS NOT NULL AND NOT EXISTS (
		SELECT FROM kms.evidence_chains c WHERE c.tenant_id = NEW.tenant_id AND c.delivered >= NEW.last_sequence
	) THEN
		RAISE EXCEPTION 'only a delivered batch is retired';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "evidence_checkpoints_change" BEFORE UPDATE ON "kms"."evidence_checkpoints"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_checkpoint_change"();
--> statement-breakpoint
CREATE FUNCTION "kms"."guard_chain_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.tenant_id <> OLD.tenant_id OR NEW.sequence < OLD.sequence OR NEW.delivered < OLD.delivered
		OR (NEW.sequence = OLD.sequence AND (NEW.hash, NEW.checkpoint) IS DISTINCT FROM (OLD.hash, OLD.checkpoint)) THEN
		RAISE EXCEPTION 'a chain only grows';
	END IF;
	RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER "evidence_chains_change" BEFORE UPDATE ON "kms"."evidence_chains"
	FOR EACH ROW EXECUTE FUNCTION "kms"."guard_chain_change"();
--> statement-breakpoint
-- One round trip for the write that answers wait for: takes role and scope and adds the events.
CREATE FUNCTION "kms"."append_evidence"(added text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'kms_app', true), set_config('kms.scope', 'system', true), set_config('kms.tenant_id', '', true);
	INSERT INTO kms.evidence_outbox (tenant_id, event_id, event)
		SELECT e.tenant_id, e.event_id, e.event
		FROM json_to_recordset(added::json) AS e (tenant_id uuid, event_id uuid, event text);
END $$;
--> statement-breakpoint
DO $$
DECLARE
	kms_table text;
BEGIN
	FOREACH kms_table IN ARRAY ARRAY['evidence_outbox', 'evidence_chains', 'evidence_checkpoints', 'evidence_events'] LOOP
		EXECUTE format('ALTER TABLE kms.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', kms_table);
		EXECUTE format(
			'CREATE POLICY %I ON kms.%I USING ((SELECT current_setting(''kms.scope'', true)) = ''system'')',
			kms_table || '_system', kms_table
		);
		EXECUTE format(
			'CREATE POLICY %I ON kms.%I USING ('
			'(SELECT current_setting(''kms.scope'', true)) = ''tenant'' AND '
			'tenant_id = (SELECT nullif(current_setting(''kms.tenant_id'', true), '''')::uuid))',
			kms_table || '_tenant', kms_table
		);
	END LOOP;
END $$;
--> statement-breakpoint
GRANT SELECT, INSERT ON "kms"."evidence_outbox", "kms"."evidence_chains", "kms"."evidence_checkpoints", "kms"."evidence_events"
	TO "kms_app";
--> statement-breakpoint
GRANT DELETE ON "kms"."evidence_outbox", "kms"."evidence_events" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ON "kms"."evidence_chains" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("refusal", "retired_at") ON "kms"."evidence_checkpoints" TO "kms_app";
