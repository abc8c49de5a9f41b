-- How many of a kind a tenant has, without the one that is being added.
CREATE FUNCTION "kms"."used_room"(kind text, own uuid, of_tenant uuid) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	CASE kind
		WHEN 'tokens' THEN
			RETURN (SELECT count(*) FROM kms.api_tokens t
				WHERE t.tenant_id = of_tenant AND t.token_id <> own AND t.revoked_at IS NULL AND NOT t.fields ? '!overlapEnd'
					AND (t.expires_at IS NULL OR t.expires_at > now()));
		WHEN 'identityBindings' THEN
			RETURN (SELECT count(*) FROM kms.identity_bindings b
				WHERE b.tenant_id = of_tenant AND b.binding_id <> own AND b.removed_at IS NULL);
		WHEN 'identityDenials' THEN
			RETURN (SELECT count(*) FROM kms.identity_denials d WHERE d.tenant_id = of_tenant AND d.denial_id <> own);
	END CASE;
END $$;
--> statement-breakpoint
-- Side by side as long as there is room for what all transactions under way add, and one after the other close to the limit: as
-- require_room_for_key, which says why. The lock has the name that it had.
CREATE OR REPLACE FUNCTION "kms"."require_room"(kind text, own uuid, of_tenant uuid, at_most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	under_way CONSTANT bigint := current_setting('max_connections')::bigint;
	lock_name CONSTANT bigint := hashtextextended('qnsp-kms ' || kind || ' ' || of_tenant, 0);
	used bigint;
BEGIN
	IF at_most IS NULL OR of_tenant IS NULL THEN
		RETURN NULL;
	END IF;
	IF kms.used_room(kind, own, of_tenant) <= at_most - 2 * under_way AND pg_try_advisory_xact_lock_shared(lock_name) THEN
		used := kms.used_room(kind, own, of_tenant);
		IF used <= at_most - under_way THEN
			RETURN used;
		END IF;
		RAISE EXCEPTION 'the tenant came close to its limit in this moment' USING ERRCODE = 'serialization_failure';
	END IF;
	PERFORM pg_advisory_xact_lock(lock_name);
	used := kms.used_room(kind, own, of_tenant);
	IF used >= at_most THEN
		PERFORM kms.refuse_one_more(kind, at_most, used);
	END IF;
	RETURN used;
END $$;
