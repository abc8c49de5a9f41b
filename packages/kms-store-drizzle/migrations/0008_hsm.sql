CREATE TABLE "kms"."resident_claims" (
	"tenant_id" uuid NOT NULL,
	"key_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"provider_id" text NOT NULL,
	"kind" text NOT NULL,
	"claimed_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "resident_claims_pkey" PRIMARY KEY("key_id","version","provider_id"),
	CONSTRAINT "resident_claims_version" CHECK ("kms"."resident_claims"."version" >= 1),
	CONSTRAINT "resident_claims_kind" CHECK ("kms"."resident_claims"."kind" in ('create', 'orphan'))
);
--> statement-breakpoint
ALTER TABLE "kms"."roots" DROP CONSTRAINT "roots_pkey";--> statement-breakpoint
ALTER TABLE "kms"."roots" ADD CONSTRAINT "roots_pkey" PRIMARY KEY("provider_id","check_value");--> statement-breakpoint
ALTER TABLE "kms"."tenant_master_key_wraps" ADD COLUMN "root_check_value" text;--> statement-breakpoint
-- Until now a provider had one root. Row-level security binds the owner of the tables as well.
SELECT set_config('kms.scope', 'system', true);--> statement-breakpoint
UPDATE "kms"."tenant_master_key_wraps" w SET "root_check_value" = r."check_value"
	FROM "kms"."roots" r WHERE r."provider_id" = w."provider_id";--> statement-breakpoint
ALTER TABLE "kms"."tenant_master_key_wraps" ALTER COLUMN "root_check_value" SET NOT NULL;--> statement-breakpoint
CREATE INDEX "resident_claims_of_provider" ON "kms"."resident_claims" USING btree ("provider_id");--> statement-breakpoint
ALTER TABLE "kms"."tenant_master_key_wraps" ADD CONSTRAINT "tenant_master_key_wraps_root" FOREIGN KEY ("provider_id","root_check_value") REFERENCES "kms"."roots"("provider_id","check_value") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "key_versions_resident_in" ON "kms"."key_versions" USING btree ("provider") WHERE "kms"."key_versions"."material_kind" = 'resident';--> statement-breakpoint
CREATE INDEX "tenant_master_key_wraps_of_root" ON "kms"."tenant_master_key_wraps" USING btree ("provider_id","root_check_value");--> statement-breakpoint
ALTER TABLE "kms"."tenant_master_key_wraps" DROP CONSTRAINT "tenant_master_key_wraps_pkey";
--> statement-breakpoint
ALTER TABLE "kms"."tenant_master_key_wraps" ADD CONSTRAINT "tenant_master_key_wraps_pkey" PRIMARY KEY("tenant_id","tmk_version","provider_id","root_check_value");--> statement-breakpoint
-- A root goes out of use with its wraps.
GRANT DELETE ON "kms"."roots" TO "kms_app";
--> statement-breakpoint
ALTER TABLE "kms"."resident_claims" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "resident_claims_system" ON "kms"."resident_claims" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "resident_claims_tenant" ON "kms"."resident_claims" USING (
	(SELECT current_setting('kms.scope', true)) = 'tenant' AND
	tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid)
);
--> statement-breakpoint
GRANT SELECT, INSERT, DELETE ON "kms"."resident_claims" TO "kms_app";
