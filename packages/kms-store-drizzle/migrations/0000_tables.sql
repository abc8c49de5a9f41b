CREATE SCHEMA "kms";
--> statement-breakpoint
CREATE TABLE "kms"."api_tokens" (
	"token_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid,
	"name" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"role" text,
	"permissions" text[] NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	CONSTRAINT "api_tokens_hash" UNIQUE("hash"),
	CONSTRAINT "api_tokens_hash_size" CHECK (octet_length("kms"."api_tokens"."hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "kms"."idempotency_keys" (
	"tenant_id" uuid NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"answer" "bytea",
	"expires_at" timestamp (3) with time zone,
	CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY("tenant_id","key"),
	CONSTRAINT "idempotency_keys_completed" CHECK (("kms"."idempotency_keys"."answer" is null) = ("kms"."idempotency_keys"."expires_at" is null))
);
--> statement-breakpoint
CREATE TABLE "kms"."key_versions" (
	"tenant_id" uuid NOT NULL,
	"key_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"state" text NOT NULL,
	"algorithm" text NOT NULL,
	"origin" text NOT NULL,
	"provider" text NOT NULL,
	"material_kind" text NOT NULL,
	"tmk_version" integer,
	"sealed" "bytea",
	"handle" "bytea",
	"public_key" "bytea",
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "key_versions_pkey" PRIMARY KEY("key_id","version"),
	CONSTRAINT "key_versions_version" CHECK ("kms"."key_versions"."version" >= 1),
	CONSTRAINT "key_versions_state" CHECK ("kms"."key_versions"."state" in ('active', 'decrypt-only', 'deactivated', 'destroyed')),
	CONSTRAINT "key_versions_origin" CHECK ("kms"."key_versions"."origin" in ('generated', 'imported')),
	CONSTRAINT "key_versions_material_kind" CHECK ("kms"."key_versions"."material_kind" in ('sealed', 'resident', 'none')),
	CONSTRAINT "key_versions_sealed" CHECK (("kms"."key_versions"."sealed" is not null) = ("kms"."key_versions"."material_kind" = 'sealed') and ("kms"."key_versions"."tmk_version" is not null) = ("kms"."key_versions"."material_kind" = 'sealed')),
	CONSTRAINT "key_versions_resident" CHECK (("kms"."key_versions"."handle" is not null) = ("kms"."key_versions"."material_kind" = 'resident')),
	CONSTRAINT "key_versions_destroyed" CHECK ("kms"."key_versions"."state" <> 'destroyed' or "kms"."key_versions"."material_kind" = 'none')
);
--> statement-breakpoint
CREATE TABLE "kms"."operation_leases" (
	"tenant_id" uuid NOT NULL,
	"key_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"granted" bigint NOT NULL,
	"last_grant" bigint NOT NULL,
	CONSTRAINT "operation_leases_pkey" PRIMARY KEY("key_id","version"),
	CONSTRAINT "operation_leases_version" CHECK ("kms"."operation_leases"."version" >= 0),
	CONSTRAINT "operation_leases_granted" CHECK ("kms"."operation_leases"."last_grant" >= 0 and "kms"."operation_leases"."granted" between "kms"."operation_leases"."last_grant" and 9007199254740991)
);
--> statement-breakpoint
CREATE TABLE "kms"."keys" (
	"key_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"name" text,
	"algorithm" text NOT NULL,
	"purpose" text NOT NULL,
	"protection_level" text NOT NULL,
	"state" text NOT NULL,
	"state_before_destroy" text,
	"revocation_reason" text,
	"revoked_at" timestamp (3) with time zone,
	"current_version" integer NOT NULL,
	"rotation_period_seconds" bigint,
	"rotation_auto" boolean NOT NULL,
	"retain_versions" integer,
	"next_rotation_at" timestamp (3) with time zone,
	"max_operations" bigint,
	"expires_at" timestamp (3) with time zone,
	"policy" jsonb,
	"metadata" jsonb NOT NULL,
	"parent_key_id" uuid,
	"revision" bigint NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"destroy_at" timestamp (3) with time zone,
	"mac_tmk_version" integer NOT NULL,
	"mac_tag" "bytea" NOT NULL,
	CONSTRAINT "keys_of_tenant" UNIQUE("tenant_id","key_id"),
	CONSTRAINT "keys_state" CHECK ("kms"."keys"."state" in ('active', 'suspended', 'deactivated', 'revoked', 'destroyed')),
	CONSTRAINT "keys_state_before_destroy" CHECK ("kms"."keys"."state_before_destroy" in ('active', 'suspended')),
	CONSTRAINT "keys_protection_level" CHECK ("kms"."keys"."protection_level" in ('software', 'hsm')),
	CONSTRAINT "keys_revocation_reason" CHECK ("kms"."keys"."revocation_reason" in ('suspected_compromise', 'policy_violation', 'end_of_life', 'crypto_weakness')),
	CONSTRAINT "keys_revocation" CHECK (("kms"."keys"."revocation_reason" is null) = ("kms"."keys"."revoked_at" is null)),
	CONSTRAINT "keys_revoked" CHECK ("kms"."keys"."state" <> 'revoked' or "kms"."keys"."revoked_at" is not null),
	CONSTRAINT "keys_deactivated" CHECK ("kms"."keys"."state" <> 'deactivated' or ("kms"."keys"."destroy_at" is not null and "kms"."keys"."state_before_destroy" is not null)),
	CONSTRAINT "keys_current_version" CHECK ("kms"."keys"."current_version" >= 1),
	CONSTRAINT "keys_revision" CHECK ("kms"."keys"."revision" >= 1),
	CONSTRAINT "keys_mac" CHECK (octet_length("kms"."keys"."mac_tag") = 32 and "kms"."keys"."mac_tmk_version" >= 1)
);
--> statement-breakpoint
CREATE TABLE "kms"."roots" (
	"provider_id" text PRIMARY KEY NOT NULL,
	"check_value" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "kms"."tenant_master_key_wraps" (
	"tenant_id" uuid NOT NULL,
	"tmk_version" integer NOT NULL,
	"provider_id" text NOT NULL,
	"wrapped" "bytea" NOT NULL,
	CONSTRAINT "tenant_master_key_wraps_pkey" PRIMARY KEY("tenant_id","tmk_version","provider_id"),
	CONSTRAINT "tenant_master_key_wraps_version" CHECK ("kms"."tenant_master_key_wraps"."tmk_version" >= 1)
);
--> statement-breakpoint
CREATE TABLE "kms"."tenants" (
	"tenant_id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"state" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "tenants_state" CHECK ("kms"."tenants"."state" in ('active', 'shredded'))
);
--> statement-breakpoint
ALTER TABLE "kms"."api_tokens" ADD CONSTRAINT "api_tokens_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."key_versions" ADD CONSTRAINT "key_versions_key" FOREIGN KEY ("tenant_id","key_id") REFERENCES "kms"."keys"("tenant_id","key_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."operation_leases" ADD CONSTRAINT "operation_leases_key" FOREIGN KEY ("tenant_id","key_id") REFERENCES "kms"."keys"("tenant_id","key_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."keys" ADD CONSTRAINT "keys_parent" FOREIGN KEY ("tenant_id","parent_key_id") REFERENCES "kms"."keys"("tenant_id","key_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "kms"."tenant_master_key_wraps" ADD CONSTRAINT "tenant_master_key_wraps_tenant_id_tenants_tenant_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "kms"."tenants"("tenant_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_tokens_newest" ON "kms"."api_tokens" USING btree ("tenant_id","created_at","token_id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_expired" ON "kms"."idempotency_keys" USING btree ("tenant_id","expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "key_versions_one_active" ON "kms"."key_versions" USING btree ("key_id") WHERE "kms"."key_versions"."state" = 'active';--> statement-breakpoint
CREATE INDEX "key_versions_sealed_of_tenant" ON "kms"."key_versions" USING btree ("tenant_id") WHERE "kms"."key_versions"."material_kind" = 'sealed';--> statement-breakpoint
CREATE INDEX "keys_newest" ON "kms"."keys" USING btree ("tenant_id","created_at","key_id");--> statement-breakpoint
CREATE INDEX "keys_by_state" ON "kms"."keys" USING btree ("tenant_id","state","created_at","key_id");--> statement-breakpoint
CREATE INDEX "keys_by_algorithm" ON "kms"."keys" USING btree ("tenant_id","algorithm","created_at","key_id");--> statement-breakpoint
CREATE INDEX "keys_by_purpose" ON "kms"."keys" USING btree ("tenant_id","purpose","created_at","key_id");--> statement-breakpoint
CREATE INDEX "keys_by_name" ON "kms"."keys" USING btree ("tenant_id","name","created_at","key_id");--> statement-breakpoint
CREATE INDEX "keys_by_parent" ON "kms"."keys" USING btree ("tenant_id","parent_key_id");--> statement-breakpoint
CREATE INDEX "keys_rotation_due" ON "kms"."keys" USING btree ("next_rotation_at") WHERE "kms"."keys"."state" = 'active' and "kms"."keys"."rotation_auto";--> statement-breakpoint
CREATE INDEX "keys_rotation_of_tenant" ON "kms"."keys" USING btree ("tenant_id","next_rotation_at","key_id") WHERE "kms"."keys"."state" = 'active' and "kms"."keys"."rotation_auto";--> statement-breakpoint
CREATE INDEX "keys_destruction_due" ON "kms"."keys" USING btree ("destroy_at") WHERE "kms"."keys"."destroy_at" is not null and "kms"."keys"."state" <> 'destroyed';