CREATE TABLE "kms"."operation_counts" (
	"tenant_id" uuid NOT NULL,
	"month" date NOT NULL,
	"operations" bigint NOT NULL,
	CONSTRAINT "operation_counts_pkey" PRIMARY KEY("tenant_id","month"),
	CONSTRAINT "operation_counts_operations" CHECK ("kms"."operation_counts"."operations" between 0 and 9007199254740991)
);
--> statement-breakpoint
ALTER TABLE "kms"."operation_counts" ADD CONSTRAINT "operation_counts_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."operation_counts" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "operation_counts_system" ON "kms"."operation_counts" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "operation_counts_tenant" ON "kms"."operation_counts" USING (
	(SELECT current_setting('kms.scope', true)) = 'tenant' AND
	tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid)
);
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE ON "kms"."operation_counts" TO "kms_app";
