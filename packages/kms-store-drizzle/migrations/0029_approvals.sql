CREATE TABLE "kms"."approvals" (
	"approval_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"state" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"content" text NOT NULL,
	"mac_format" integer NOT NULL,
	"mac_tmk_version" integer NOT NULL,
	"mac_tag" "bytea" NOT NULL,
	CONSTRAINT "approvals_fingerprint" CHECK (octet_length("kms"."approvals"."fingerprint") = 32),
	CONSTRAINT "approvals_state" CHECK ("kms"."approvals"."state" in ('pending', 'executed', 'refused', 'withdrawn')),
	CONSTRAINT "approvals_mac" CHECK (octet_length("kms"."approvals"."mac_tag") = 32 and "kms"."approvals"."mac_tmk_version" >= 1 and "kms"."approvals"."mac_format" >= 2)
);
--> statement-breakpoint
ALTER TABLE "kms"."approvals" ADD CONSTRAINT "approvals_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "approvals_newest" ON "kms"."approvals" USING btree ("tenant_id","created_at","approval_id");--> statement-breakpoint
CREATE INDEX "approvals_ended" ON "kms"."approvals" USING btree ("tenant_id","expires_at");--> statement-breakpoint
CREATE INDEX "approvals_pending" ON "kms"."approvals" USING btree ("tenant_id","fingerprint") WHERE "kms"."approvals"."state" = 'pending';
--> statement-breakpoint
ALTER TABLE "kms"."approvals" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY "approvals_system" ON "kms"."approvals" USING ((SELECT current_setting('kms.scope', true)) = 'system');
--> statement-breakpoint
CREATE POLICY "approvals_tenant" ON "kms"."approvals" USING (
	(SELECT current_setting('kms.scope', true)) = 'tenant' AND
	tenant_id = (SELECT nullif(current_setting('kms.tenant_id', true), '')::uuid)
);
--> statement-breakpoint
GRANT SELECT, INSERT, DELETE ON "kms"."approvals" TO "kms_app";
--> statement-breakpoint
GRANT UPDATE ("state", "content", "mac_format", "mac_tmk_version", "mac_tag") ON "kms"."approvals" TO "kms_app";
--> statement-breakpoint
CREATE TRIGGER "approvals_tenant" BEFORE INSERT ON "kms"."approvals"
	FOR EACH ROW EXECUTE FUNCTION "kms"."require_active_tenant"();
--> statement-breakpoint
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
		WHEN 'approvals' THEN
			RETURN (SELECT count(*) FROM kms.approvals a
				WHERE a.tenant_id = of_tenant AND a.approval_id <> own AND a.state = 'pending' AND a.expires_at > now());
	END CASE;
END $$;
