CREATE TABLE "kms"."fleet_nodes" (
	"node_id" uuid PRIMARY KEY NOT NULL,
	"version" text NOT NULL,
	"settings" jsonb NOT NULL,
	"started_at" timestamp (3) with time zone NOT NULL,
	"alive_until" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "kms"."fleet_nodes" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "fleet_nodes_system" ON "kms"."fleet_nodes" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
GRANT SELECT, INSERT, DELETE ON "kms"."fleet_nodes" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("alive_until") ON "kms"."fleet_nodes" TO "kms_app";
