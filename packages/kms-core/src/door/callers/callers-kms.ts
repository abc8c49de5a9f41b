import type { AccessOperations } from './access.ts';
import type { ApprovalOperations } from './approvals.ts';
import type { CryptographicOperations } from './cryptography.ts';
import type { KeyOperations } from './keys.ts';
import type { LifecycleOperations } from './lifecycle.ts';
import type { MigrationOperations } from './migrations.ts';
import type { EvidenceOperations, TenantOperations } from './platform.ts';

/**
 * Every operation of the catalogue as a method, for one caller. Each call leaves its own evidence and, where it changes
 * something, has its own idempotency. Bytes are `Uint8Array`, and times in answers RFC 3339 in UTC.
 *
 * All of them throw {@link KmsError}: `FORBIDDEN` without the permission, `BAD_REQUEST` with the path of each field that is wrong,
 * `SEALED` and `STORE_UNAVAILABLE` while the KMS cannot work, `AUDIT_UNAVAILABLE` when the evidence of the call cannot be kept, and
 * what the operation itself says.
 *
 * The examples of the operations begin where this one ends: `ada` administers a tenant, `platform` the service.
 *
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { localCaller, openKms, softwareRoot, SYSTEM_TENANT } from '@qnsp/kms-core';
 * import { inMemoryStorage } from '@qnsp/kms-core/testing';
 * await using kms = await openKms({
 *   storage: inMemoryStorage(),
 *   roots: softwareRoot('software', randomBytes(32)),
 *   alert: ({ message }) => console.error(message),
 * });
 * const platform = kms.as(localCaller({ tenantId: SYSTEM_TENANT, subject: 'ops', role: 'platform_admin' }));
 * const tenantId = await kms.ensureTenant('shop');
 * const ada = kms.as(localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' }));
 * console.log((await ada.createKey({ name: 'orders' })).name); // orders
 */
export interface CallerKms
  extends KeyOperations,
    LifecycleOperations,
    MigrationOperations,
    CryptographicOperations,
    AccessOperations,
    ApprovalOperations,
    TenantOperations,
    EvidenceOperations {}
