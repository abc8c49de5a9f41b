// Written by scripts/write-generated.ts from @qnsp/kms-contract: change the contract, then "pnpm run generate".

import type { CallOptions } from '../base/call-options.ts';
import type { AlgorithmName } from './algorithms.ts';

export interface Activation {
  readonly activated: true;
  readonly tenantId: string;
  readonly tier: string;
  readonly limits: {
    readonly storageGB: number;
    readonly apiCalls: number;
    readonly enclavesEnabled: boolean;
    readonly aiTrainingEnabled: boolean;
    readonly aiInferenceEnabled: boolean;
    readonly sseEnabled: boolean;
    readonly vaultEnabled: boolean;
  };
  readonly activationToken: string;
  readonly expiresInSeconds: number;
  readonly activatedAt: string;
  readonly expiresAt: string;
}

export interface ApiToken {
  readonly tokenId: string;
  /** `null` for a platform-wide credential. */
  readonly tenantId: string | null;
  readonly name: string;
  readonly role: 'platform_admin' | 'tenant_admin' | 'key_admin' | 'key_user' | 'auditor' | null;
  readonly permissions: readonly (
    | 'kms:keys:create'
    | 'kms:keys:read'
    | 'kms:keys:use'
    | 'kms:keys:update'
    | 'kms:keys:rotate'
    | 'kms:keys:delete'
    | 'kms:keys:import'
    | 'kms:keys:policy'
    | 'kms:random'
    | 'kms:tokens:manage'
    | 'kms:audit:read'
    | 'kms:tenants:shred'
    | 'kms:tenants:manage'
    | 'kms:encrypt'
    | 'kms:decrypt'
    | 'kms:reencrypt'
    | 'kms:sign'
    | 'kms:verify'
    | 'kms:wrap'
    | 'kms:unwrap'
    | 'kms:data-key'
    | 'kms:mac'
    | 'kms:mac-verify'
    | 'kms:encapsulate'
    | 'kms:decapsulate'
    | 'kms:derive'
  )[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

export interface ApiTokenPage {
  readonly items: readonly ApiToken[];
  /** Where the next page starts; `null` after the last one. */
  readonly nextCursor: string | null;
  /**
   * Names the keys, or tokens, whose stored record failed its integrity check, which are not in `items`, and what
   * of the query was passed over.
   */
  readonly warnings?: readonly string[];
}

export interface AuditEvent {
  readonly eventId: string;
  readonly eventType:
    | 'kms.key.updated'
    | 'kms.key.rotated'
    | 'kms.key.upgraded'
    | 'kms.key.suspended'
    | 'kms.key.resumed'
    | 'kms.key.revoked'
    | 'kms.key.destruction-scheduled'
    | 'kms.key.restored'
    | 'kms.key.condemned'
    | 'kms.key.destroyed'
    | 'kms.key.shredded'
    | 'kms.key.created'
    | 'kms.key.imported'
    | 'kms.key.import-parameters'
    | 'kms.key.read'
    | 'kms.key.listed'
    | 'kms.random'
    | 'kms.token.created'
    | 'kms.token.revoked'
    | 'kms.token.listed'
    | 'kms.tenant.created'
    | 'kms.tenant.shredded'
    | 'kms.tenant.listed'
    | 'kms.audit.read'
    | 'kms.audit.enabled'
    | 'kms.audit.disabled'
    | 'kms.sdk.activated'
    | 'kms.access.denied'
    | 'kms.encrypt'
    | 'kms.decrypt'
    | 'kms.reencrypt'
    | 'kms.sign'
    | 'kms.verify'
    | 'kms.wrap'
    | 'kms.unwrap'
    | 'kms.data-key'
    | 'kms.mac'
    | 'kms.mac-verify'
    | 'kms.encapsulate'
    | 'kms.decapsulate'
    | 'kms.derive';
  readonly timestamp: string;
  readonly tenantId: string;
  readonly actor: {
    readonly type: 'user' | 'service' | 'system' | 'workload';
    readonly id: string;
  };
  readonly resource: {
    readonly type: 'key' | 'token' | 'tenant' | 'service';
    readonly id: string | null;
    readonly version: number | null;
  };
  /**
   * The id of the operation that was asked for, or that the service did by itself. The operations of this document
   * have the same ids.
   */
  readonly action: string;
  readonly result: 'success' | 'denied' | 'failure';
  /** Why it did not succeed. */
  readonly errorCode?: string;
  readonly context: {
    readonly requestId: string | null;
    readonly userAgent: string | null;
    readonly source: string;
    readonly ip: string | null;
  };
  readonly request: {
    /** Names of the encryption context, no values. */
    readonly contextKeys: readonly string[];
  };
  /**
   * The id that the event had where it waited when the database was copied; it may be in the epoch before under
   * that one.
   */
  readonly repeats?: string;
  readonly changes?: {
    readonly before: Readonly<Record<string, string | number | boolean | null | readonly string[]>> | null;
    readonly after: Readonly<Record<string, string | number | boolean | null | readonly string[]>> | null;
  };
}

export interface AuditEventList {
  readonly items: readonly ChainedEvent[];
  /** `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys, or tokens, whose stored record failed its integrity check, which are not in `items`, and what
   * of the query was passed over.
   */
  readonly warnings?: readonly string[];
}

export interface ChainedEvent {
  /** The place in the chain of the tenant, from 1 without gaps. */
  readonly sequence: number;
  readonly previousHash: string;
  /** SHA3-256 of the canonical JSON of `{event, previousHash, sequence}`. */
  readonly hash: string;
  readonly event: AuditEvent;
}

export interface Checkpoint {
  readonly checkpointId: string;
  readonly timestamp: string;
  readonly tenantId: string;
  readonly merkleRoot: string;
  readonly eventCount: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstEventId: string;
  readonly lastEventId: string;
  readonly previousCheckpoint: string | null;
  /** Absent in the first format, which has neither this nor the next two. */
  readonly version?: 2;
  /** The life of the database: since when a restored copy serves, and of which time its data was. */
  readonly epoch?: {
    readonly since: string;
    readonly dataAsOf: string;
  } | null;
  /** The keys that signed the chain, the present one last, and from which event on. */
  readonly signingKeys?: readonly {
    readonly keyId: string;
    readonly firstSequence: number;
  }[];
  /** A JWS with a detached payload: the canonical JSON of the other members. */
  readonly signature: string;
}

export interface CheckpointList {
  readonly items: readonly Checkpoint[];
  /** `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys, or tokens, whose stored record failed its integrity check, which are not in `items`, and what
   * of the query was passed over.
   */
  readonly warnings?: readonly string[];
}

export interface CreatedApiToken {
  readonly tokenId: string;
  /** `null` for a platform-wide credential. */
  readonly tenantId: string | null;
  readonly name: string;
  readonly role: 'platform_admin' | 'tenant_admin' | 'key_admin' | 'key_user' | 'auditor' | null;
  readonly permissions: readonly (
    | 'kms:keys:create'
    | 'kms:keys:read'
    | 'kms:keys:use'
    | 'kms:keys:update'
    | 'kms:keys:rotate'
    | 'kms:keys:delete'
    | 'kms:keys:import'
    | 'kms:keys:policy'
    | 'kms:random'
    | 'kms:tokens:manage'
    | 'kms:audit:read'
    | 'kms:tenants:shred'
    | 'kms:tenants:manage'
    | 'kms:encrypt'
    | 'kms:decrypt'
    | 'kms:reencrypt'
    | 'kms:sign'
    | 'kms:verify'
    | 'kms:wrap'
    | 'kms:unwrap'
    | 'kms:data-key'
    | 'kms:mac'
    | 'kms:mac-verify'
    | 'kms:encapsulate'
    | 'kms:decapsulate'
    | 'kms:derive'
  )[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** The token itself; it is never shown again. */
  readonly token: string;
}

export interface DataKeyAnswer {
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
  readonly wrappedKey: Uint8Array;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** The provider whose root or hardware protects the wrapping key. */
  readonly provider: string;
  readonly dataKey?: Uint8Array;
}

export interface DecapsulateAnswer {
  readonly sharedSecret: Uint8Array;
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
}

export interface DecryptAnswer {
  readonly plaintext: Uint8Array;
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
}

export interface DeriveAnswer {
  readonly derivedKey: Uint8Array;
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

export interface EncapsulateAnswer {
  readonly sharedSecret: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

export interface EncryptAnswer {
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

export interface GetOpenApiAnswer {}

export interface Health {
  readonly status: 'ok' | 'degraded' | 'critical';
  readonly service: 'kms-service';
  readonly version: string;
  readonly timestamp: string;
  /** Seconds since the start. */
  readonly uptime: number;
  /** What was looked at, by name: the store, the roots, the caches. */
  readonly checks: Readonly<
    Record<
      string,
      {
        readonly status: 'ok' | 'degraded' | 'critical';
        readonly message?: string;
        readonly latencyMs?: number;
      }
    >
  >;
}

export interface ImportParameters {
  readonly wrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' | 'ML_KEM_768_AES_KWP';
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  /** The same in PEM. */
  readonly publicKeyPem: string;
  readonly importToken: Uint8Array;
  readonly expiresAt: string;
}

export interface InclusionProof {
  readonly event: ChainedEvent;
  readonly leafIndex: number;
  readonly path: readonly string[];
  readonly checkpoint: Checkpoint;
}

export interface Key {
  readonly keyId: string;
  readonly tenantId: string;
  readonly name: string | null;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** The name of the algorithm in its standard. */
  readonly algorithmNist: string;
  readonly purpose:
    | 'encryption'
    | 'signing'
    | 'kem'
    | 'key-wrapping'
    | 'mac'
    | 'derive'
    | 'encrypt'
    | 'decrypt'
    | 'sign'
    | 'verify'
    | 'wrap';
  /** Every purpose that the key serves. */
  readonly purposes: readonly (
    | 'encryption'
    | 'signing'
    | 'kem'
    | 'key-wrapping'
    | 'mac'
    | 'derive'
    | 'encrypt'
    | 'decrypt'
    | 'sign'
    | 'verify'
    | 'wrap'
  )[];
  readonly protectionLevel: 'software' | 'hsm';
  /** The root or HSM provider that protects the current version. */
  readonly provider: string;
  /**
   * `suspended` keys only decrypt, verify and unwrap; `deactivated` keys wait for their destruction and do
   * nothing.
   */
  readonly state: 'active' | 'suspended' | 'deactivated' | 'revoked' | 'destroyed';
  readonly currentVersion: number;
  /** All versions, the oldest first. */
  readonly versions: readonly {
    readonly version: number;
    readonly state: 'active' | 'decrypt-only' | 'deactivated' | 'destroyed';
    /** The platform id of the algorithm. */
    readonly algorithm: string;
    readonly origin: 'generated' | 'imported';
    readonly createdAt: string;
  }[];
  readonly rotation: {
    readonly rotationPeriod: string | null;
    readonly autoRotate: boolean;
    readonly retainVersions: number | null;
    readonly nextRotationAt: string | null;
  };
  readonly usageLimits: {
    readonly maxOperations: number | null;
    readonly expiresAt: string | null;
  };
  /** As it was sent. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The key that protects this one in the tenant's own hierarchy. */
  readonly parentKeyId: string | null;
  /** Counts the changes of the key; send it as `If-Match` to change only what you saw. */
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** When the key will be destroyed, if that is scheduled. */
  readonly destroyAt: string | null;
  /** Present on revoked keys. */
  readonly revocation?: {
    readonly reason: 'suspected_compromise' | 'policy_violation' | 'end_of_life' | 'crypto_weakness';
    readonly revokedAt: string;
  };
  /** What was done differently from what was asked. */
  readonly warnings?: readonly string[];
}

export interface KeyPage {
  readonly items: readonly Key[];
  /** Where the next page starts; `null` after the last one. */
  readonly nextCursor: string | null;
  /**
   * Names the keys, or tokens, whose stored record failed its integrity check, which are not in `items`, and what
   * of the query was passed over.
   */
  readonly warnings?: readonly string[];
}

export interface KeyPolicy {
  readonly version: '1';
  readonly statements: readonly {
    readonly effect: 'allow' | 'deny';
    /** Permissions, with `*` at the end as a wildcard. */
    readonly actions: readonly string[];
    /** Key ids, or `*`. */
    readonly resources: readonly string[];
    /** Subjects; absent means everyone. */
    readonly principals?: readonly string[] | undefined;
    /** Every condition that is present must hold. */
    readonly conditions?:
      | {
          readonly tenant?: string | readonly string[] | undefined;
          /** Addresses or CIDR blocks of the caller. */
          readonly ip?: string | readonly string[] | undefined;
          /** The statement holds from `notBefore` until before `notAfter`. */
          readonly time?:
            | {
                /** From 1970-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z. */
                readonly notBefore?: string | Date | undefined;
                /** From 1970-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z. */
                readonly notAfter?: string | Date | undefined;
              }
            | undefined;
          readonly mfa?: boolean | undefined;
        }
      | undefined;
  }[];
}

export interface KeyStatistics {
  readonly total: number;
  readonly byState: Readonly<Record<string, number>>;
  readonly byAlgorithm: Readonly<Record<string, number>>;
  /** Operations that used a key since the first of the month, in UTC; the newest of other nodes may be missing. */
  readonly operationsThisMonth: number;
}

export interface ListRotationSchedulesAnswer {
  readonly items: readonly RotationSchedule[];
  /**
   * Names the keys, or tokens, whose stored record failed its integrity check, which are not in `items`, and what
   * of the query was passed over.
   */
  readonly warnings?: readonly string[];
}

export interface ListTenantsAnswer {
  readonly items: readonly Tenant[];
  /**
   * Names the keys, or tokens, whose stored record failed its integrity check, which are not in `items`, and what
   * of the query was passed over.
   */
  readonly warnings?: readonly string[];
}

export interface ListUpcomingRotationsAnswer {
  readonly items: readonly RotationSchedule[];
  /**
   * Names the keys, or tokens, whose stored record failed its integrity check, which are not in `items`, and what
   * of the query was passed over.
   */
  readonly warnings?: readonly string[];
}

export interface MacAnswer {
  readonly mac: Uint8Array;
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

export interface PublicKey {
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  /** The same in PEM. */
  readonly publicKeyPem: string;
}

export interface RandomBytes {
  readonly random: Uint8Array;
  /** How many bytes these are. */
  readonly bytes: number;
}

export interface RevokedApiToken {
  readonly tokenId: string;
  readonly revoked: true;
}

export interface RotationSchedule {
  readonly keyId: string;
  readonly name: string | null;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  readonly rotationPeriod: string | null;
  readonly nextRotationAt: string | null;
}

export interface RotationSettings {
  /** How often the key rotates; `null` is never. */
  readonly rotationPeriod?: string | number | null | undefined;
  /** Whether it rotates by itself; true when there is a period. */
  readonly autoRotate?: boolean | undefined;
  /** How many versions stay usable, the active one included; `null` keeps all. */
  readonly retainVersions?: number | null | undefined;
}

export interface SignAnswer {
  readonly signature: Uint8Array;
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

export interface Tenant {
  readonly tenantId: string;
  readonly name: string;
  readonly state: 'active' | 'shredded';
  readonly createdAt: string;
}

export interface UnwrapAnswer {
  readonly dataKey: Uint8Array;
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
}

export interface UsageLimits {
  /** How many operations the key may serve in its life; `null` is no limit. */
  readonly maxOperations?: number | null | undefined;
  /** From when on the key protects nothing new; what it protected it still opens. `null` is never. */
  readonly expiresAt?: string | Date | null | undefined;
}

export interface VerifyAnswer {
  readonly valid: boolean;
  readonly keyId: string;
  /** The version that it is from; when it is not valid, the one that was tried first. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

export interface WrapAnswer {
  readonly keyId: string;
  /** The version of the key, from 1. */
  readonly keyVersion: number;
  readonly wrappedKey: Uint8Array;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** The provider whose root or hardware protects the wrapping key. */
  readonly provider: string;
}

export interface CreateKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /**
   * The platform id, the name in the standard or a usual spelling, in any case. Absent or empty it is the default
   * algorithm of the deployment.
   */
  readonly algorithm?: AlgorithmName | undefined;
  /** Where the material is; `software` without it. */
  readonly protectionLevel?: 'software' | 'hsm' | undefined;
  /** A name for people; it need not be unique. */
  readonly name?: string | undefined;
  /**
   * What the key is for. Absent or empty it is the algorithm's own purpose. A purpose that the algorithm cannot
   * serve becomes the algorithm's own, and the answer says so in `warnings`.
   */
  readonly purpose?:
    | ''
    | 'encryption'
    | 'signing'
    | 'kem'
    | 'key-wrapping'
    | 'mac'
    | 'derive'
    | 'encrypt'
    | 'decrypt'
    | 'sign'
    | 'verify'
    | 'wrap'
    | undefined;
  readonly rotation?: RotationSettings | undefined;
  readonly usageLimits?: UsageLimits | undefined;
  /**
   * Facts about the key for people and programs, never a secret: any JSON, which is answered as it was sent. At
   * most 16 KiB, 8 levels, 64 members in each object, 128 characters in each name and 1024 in each text. Whole
   * numbers are at most 9007199254740991 in either direction; send larger ones as text.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Takes the permission `kms:keys:policy`. */
  readonly policy?: KeyPolicy | undefined;
  /** Takes a policy, too, that keeps its writer from changing it again; refused without this. */
  readonly allowLockout?: boolean | undefined;
  /** The key that protects this one in the tenant's own hierarchy; revocation with `cascade` follows it. */
  readonly parentKeyId?: string | undefined;
}

export interface ListKeysInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** At most so many items, from 1 to 200; a number outside counts as the nearer of the two. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly state?: 'active' | 'suspended' | 'deactivated' | 'revoked' | 'destroyed' | undefined;
  /** The platform id, the name in the standard or a usual spelling, in any case. */
  readonly algorithm?: AlgorithmName | undefined;
  readonly purpose?:
    | 'encryption'
    | 'signing'
    | 'kem'
    | 'key-wrapping'
    | 'mac'
    | 'derive'
    | 'encrypt'
    | 'decrypt'
    | 'sign'
    | 'verify'
    | 'wrap'
    | undefined;
  /** The whole name. */
  readonly name?: string | undefined;
}

export interface GetKeyStatsInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
}

export interface GetKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly keyId: string;
}

export interface UpdateKeyInput {
  readonly tenantId?: string | null | undefined;
  readonly name?: string | null | undefined;
  /**
   * Facts about the key for people and programs, never a secret: any JSON, which is answered as it was sent. At
   * most 16 KiB, 8 levels, 64 members in each object, 128 characters in each name and 1024 in each text. Whole
   * numbers are at most 9007199254740991 in either direction; send larger ones as text.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly rotation?: RotationSettings | undefined;
  readonly usageLimits?: UsageLimits | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface GetPublicKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The version of the key; the current one without it. */
  readonly version?: number | undefined;
  readonly keyId: string;
}

export interface RotateKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** Why, for the audit trail; empty is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface UpgradeKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** Why, for the audit trail; empty is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface SuspendKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** Why, for the audit trail; empty is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface ResumeKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** Why, for the audit trail; empty is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface RevokeKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly reason: 'suspected_compromise' | 'policy_violation' | 'end_of_life' | 'crypto_weakness';
  /**
   * Whether the keys below it in the hierarchy are revoked, too; not without this. The key itself is revoked in
   * any case, and `warnings` name those below it that could not be.
   */
  readonly cascade?: boolean | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface DestroyKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** Days until the destruction; 7 without it. */
  readonly pendingWindow?: number | undefined;
  /** Why, for the audit trail; empty is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface RestoreKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** Why, for the audit trail; empty is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface ShredKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** `SHRED-` and the id of the key. */
  readonly confirmation: string;
  /** Why, for the audit trail; empty is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface GetKeyPolicyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly keyId: string;
}

export interface PutKeyPolicyInput {
  readonly version: '1';
  readonly statements: readonly {
    readonly effect: 'allow' | 'deny';
    /** Permissions, with `*` at the end as a wildcard. */
    readonly actions: readonly string[];
    /** Key ids, or `*`. */
    readonly resources: readonly string[];
    /** Subjects; absent means everyone. */
    readonly principals?: readonly string[] | undefined;
    /** Every condition that is present must hold. */
    readonly conditions?:
      | {
          readonly tenant?: string | readonly string[] | undefined;
          /** Addresses or CIDR blocks of the caller. */
          readonly ip?: string | readonly string[] | undefined;
          /** The statement holds from `notBefore` until before `notAfter`. */
          readonly time?:
            | {
                /** From 1970-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z. */
                readonly notBefore?: string | Date | undefined;
                /** From 1970-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z. */
                readonly notAfter?: string | Date | undefined;
              }
            | undefined;
          readonly mfa?: boolean | undefined;
        }
      | undefined;
  }[];
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** Takes a policy, too, that keeps its writer from changing it again; refused without this. */
  readonly allowLockout?: boolean | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface DeleteKeyPolicyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

export interface EncryptInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** At most 64 KiB; encrypt larger data locally under a data key. */
  readonly plaintext: Uint8Array;
  /**
   * Names and values that are authenticated with the ciphertext: decrypting needs the same ones, in any order. Not
   * secret. An empty object is the same as none.
   */
  readonly context?: Readonly<Record<string, string>> | undefined;
}

export interface DecryptInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId?: string | undefined;
  /** What `encrypt` answered; it names its key and version itself. */
  readonly ciphertext: Uint8Array;
  /**
   * Names and values that are authenticated with the ciphertext: decrypting needs the same ones, in any order. Not
   * secret. An empty object is the same as none.
   */
  readonly context?: Readonly<Record<string, string>> | undefined;
}

export interface ReencryptInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key that the ciphertext must be under; where the path names it too, it must be the same. */
  readonly sourceKeyId?: string | undefined;
  /** The key to encrypt under; the same one without it. */
  readonly destinationKeyId?: string | undefined;
  /** What `encrypt` answered; it names its key and version itself. */
  readonly ciphertext: Uint8Array;
  /** The context of the ciphertext. */
  readonly context?: Readonly<Record<string, string>> | undefined;
  /** The context of the new ciphertext; the same one without it. */
  readonly newContext?: Readonly<Record<string, string>> | undefined;
}

export interface SignInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** The message itself, not a digest of it. `message` is a synonym. */
  readonly data: Uint8Array;
  /** The context string of ML-DSA and SLH-DSA, at most 255 bytes. Other algorithms have none and refuse it. */
  readonly context?: Uint8Array | undefined;
  /** The encoding of an ECDSA signature; `der` without it. */
  readonly format?: 'der' | 'ieee-p1363' | undefined;
  /** The padding of an RSA signature; without it PSS with a salt as long as the digest. */
  readonly scheme?: 'pss' | 'pkcs1-v1_5' | undefined;
}

export interface VerifyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** The message itself, not a digest of it. `message` is a synonym. */
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
  /** The context string of ML-DSA and SLH-DSA, at most 255 bytes. Other algorithms have none and refuse it. */
  readonly context?: Uint8Array | undefined;
  /** The encoding of an ECDSA signature; `der` without it. */
  readonly format?: 'der' | 'ieee-p1363' | undefined;
  /** The padding of an RSA signature; without it PSS with a salt as long as the digest. */
  readonly scheme?: 'pss' | 'pkcs1-v1_5' | undefined;
  /**
   * Only this version; without it the newest 32 that may still verify. Where none of them accepts and the key has
   * older ones, the answer is `BAD_REQUEST`, which asks for the version.
   */
  readonly keyVersion?: number | undefined;
}

export interface MacInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** The message itself. */
  readonly data: Uint8Array;
}

export interface VerifyMacInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** The message itself. */
  readonly data: Uint8Array;
  readonly mac: Uint8Array;
  /**
   * Only this version; without it the newest 32 that may still verify. Where none of them accepts and the key has
   * older ones, the answer is `BAD_REQUEST`, which asks for the version.
   */
  readonly keyVersion?: number | undefined;
}

export interface WrapInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** The key to wrap. */
  readonly dataKey: Uint8Array;
  /** Authenticated with the wrapped key: unwrapping needs the same. Not secret. No bytes are the same as none. */
  readonly associatedData?: Uint8Array | undefined;
}

export interface UnwrapInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** What `wrap` or `data-key` answered; it names its key and version itself. */
  readonly wrappedKey: Uint8Array;
  /** Authenticated with the wrapped key: unwrapping needs the same. Not secret. No bytes are the same as none. */
  readonly associatedData?: Uint8Array | undefined;
  /** The `provider` of the wrapped key. It changes nothing: the wrapped key itself says what opens it. */
  readonly providerHint?: string | undefined;
}

export interface CreateDataKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** The length of the data key; 32 without it. */
  readonly bytes?: number | undefined;
  /** Authenticated with the wrapped key: unwrapping needs the same. Not secret. No bytes are the same as none. */
  readonly associatedData?: Uint8Array | undefined;
  /** Whether the answer holds the data key itself beside the wrapped one; true without it. */
  readonly withPlaintext?: boolean | undefined;
}

export interface EncapsulateInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
}

export interface DecapsulateInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** The encapsulation of the shared secret. */
  readonly ciphertext: Uint8Array;
  /** The version of the key; the current one without it. */
  readonly keyVersion?: number | undefined;
}

export interface DeriveInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The key; where the path names it too, it must be the same. */
  readonly keyId: string;
  /** SubjectPublicKeyInfo in DER, on the curve of the key. */
  readonly peerPublicKey: Uint8Array;
  /** What the derived key is for, and between whom. */
  readonly info?: Uint8Array | undefined;
  readonly salt?: Uint8Array | undefined;
  /** The length of the derived key in bytes; 32 without it. */
  readonly length?: number | undefined;
  /** The version of the key; the current one without it. */
  readonly keyVersion?: number | undefined;
}

export interface GetImportParametersInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** `RSA_AES_KEY_WRAP_SHA_256` without it. */
  readonly wrappingAlgorithm?: 'RSA_AES_KEY_WRAP_SHA_256' | 'ML_KEM_768_AES_KWP' | undefined;
}

export interface ImportKeyInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** The platform id, the name in the standard or a usual spelling, in any case. */
  readonly algorithm: AlgorithmName;
  /** An imported key to give a new version; without it the import makes a new key. */
  readonly keyId?: string | undefined;
  readonly wrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' | 'ML_KEM_768_AES_KWP';
  /** The token that came with the wrapping key. */
  readonly importToken: Uint8Array;
  /**
   * RSA: OAEP with SHA-256 of a fresh AES-256 key (512 bytes), then the material under AES-KWP with that key.
   * ML-KEM: the ciphertext (1,088 bytes), then the material under AES-KWP with the shared secret. The material is
   * the raw secret key, or PKCS#8 in DER.
   */
  readonly wrappedMaterial: Uint8Array;
  /** Only `software`: what existed outside of an HSM cannot be imported into one. */
  readonly protectionLevel?: 'software' | 'hsm' | undefined;
  /** A name for people; it need not be unique. */
  readonly name?: string | undefined;
  /**
   * What the key is for. Absent or empty it is the algorithm's own purpose. A purpose that the algorithm cannot
   * serve becomes the algorithm's own, and the answer says so in `warnings`.
   */
  readonly purpose?:
    | ''
    | 'encryption'
    | 'signing'
    | 'kem'
    | 'key-wrapping'
    | 'mac'
    | 'derive'
    | 'encrypt'
    | 'decrypt'
    | 'sign'
    | 'verify'
    | 'wrap'
    | undefined;
  readonly rotation?: RotationSettings | undefined;
  readonly usageLimits?: UsageLimits | undefined;
  /**
   * Facts about the key for people and programs, never a secret: any JSON, which is answered as it was sent. At
   * most 16 KiB, 8 levels, 64 members in each object, 128 characters in each name and 1024 in each text. Whole
   * numbers are at most 9007199254740991 in either direction; send larger ones as text.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Takes the permission `kms:keys:policy`. */
  readonly policy?: KeyPolicy | undefined;
  /** Takes a policy, too, that keeps its writer from changing it again; refused without this. */
  readonly allowLockout?: boolean | undefined;
  /** The key that protects this one in the tenant's own hierarchy; revocation with `cascade` follows it. */
  readonly parentKeyId?: string | undefined;
}

export interface GetRandomInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly bytes?: number | undefined;
}

export interface ListRotationSchedulesInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** At most so many items, from 1 to 200; a number outside counts as the nearer of the two. */
  readonly limit?: number | undefined;
}

export interface ListUpcomingRotationsInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** At most so many items, from 1 to 200; a number outside counts as the nearer of the two. */
  readonly limit?: number | undefined;
  /** Only rotations that are due within this many days. */
  readonly withinDays?: number | undefined;
}

export interface CreateTokenInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly name: string;
  readonly role?: 'platform_admin' | 'tenant_admin' | 'key_admin' | 'key_user' | 'auditor' | undefined;
  /** Permissions beyond those of the role. */
  readonly permissions?:
    | readonly (
        | 'kms:keys:create'
        | 'kms:keys:read'
        | 'kms:keys:use'
        | 'kms:keys:update'
        | 'kms:keys:rotate'
        | 'kms:keys:delete'
        | 'kms:keys:import'
        | 'kms:keys:policy'
        | 'kms:random'
        | 'kms:tokens:manage'
        | 'kms:audit:read'
        | 'kms:tenants:shred'
        | 'kms:tenants:manage'
        | 'kms:encrypt'
        | 'kms:decrypt'
        | 'kms:reencrypt'
        | 'kms:sign'
        | 'kms:verify'
        | 'kms:wrap'
        | 'kms:unwrap'
        | 'kms:data-key'
        | 'kms:mac'
        | 'kms:mac-verify'
        | 'kms:encapsulate'
        | 'kms:decapsulate'
        | 'kms:derive'
      )[]
    | undefined;
  /** In the future; the token never expires without it. */
  readonly expiresAt?: string | Date | undefined;
}

export interface ListTokensInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** At most so many items, from 1 to 200; a number outside counts as the nearer of the two. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface RevokeTokenInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly tokenId: string;
}

export interface CreateTenantInput {
  /** The id of the new tenant; a new one without it. */
  readonly tenantId?: string | undefined;
  readonly name: string;
}

export interface ListTenantsInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
}

export interface ShredTenantInput {
  readonly tenantId: string;
  /** `SHRED-` and the id of the tenant. */
  readonly confirmation: string;
  /** Why, for the audit trail. */
  readonly reason: string;
}

export interface ListAuditEventsInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** At most so many items, from 1 to 200; a number outside counts as the nearer of the two. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  readonly keyId?: string | undefined;
  readonly eventType?:
    | 'kms.key.updated'
    | 'kms.key.rotated'
    | 'kms.key.upgraded'
    | 'kms.key.suspended'
    | 'kms.key.resumed'
    | 'kms.key.revoked'
    | 'kms.key.destruction-scheduled'
    | 'kms.key.restored'
    | 'kms.key.condemned'
    | 'kms.key.destroyed'
    | 'kms.key.shredded'
    | 'kms.key.created'
    | 'kms.key.imported'
    | 'kms.key.import-parameters'
    | 'kms.key.read'
    | 'kms.key.listed'
    | 'kms.random'
    | 'kms.token.created'
    | 'kms.token.revoked'
    | 'kms.token.listed'
    | 'kms.tenant.created'
    | 'kms.tenant.shredded'
    | 'kms.tenant.listed'
    | 'kms.audit.read'
    | 'kms.audit.enabled'
    | 'kms.audit.disabled'
    | 'kms.sdk.activated'
    | 'kms.access.denied'
    | 'kms.encrypt'
    | 'kms.decrypt'
    | 'kms.reencrypt'
    | 'kms.sign'
    | 'kms.verify'
    | 'kms.wrap'
    | 'kms.unwrap'
    | 'kms.data-key'
    | 'kms.mac'
    | 'kms.mac-verify'
    | 'kms.encapsulate'
    | 'kms.decapsulate'
    | 'kms.derive'
    | undefined;
  /** The id of who acted. */
  readonly actor?: string | undefined;
  readonly result?: 'success' | 'denied' | 'failure' | undefined;
  /** Only events at this time or later. */
  readonly from?: string | Date | undefined;
  /** Only events before this time. */
  readonly to?: string | Date | undefined;
}

export interface GetAuditProofInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly eventId: string;
}

export interface ListAuditCheckpointsInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  /** At most so many items, from 1 to 200; a number outside counts as the nearer of the two. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ExportAuditInput {
  /** The tenant of the call; it must be the credential's. */
  readonly tenantId?: string | undefined;
  readonly format?: 'jsonl' | 'cef' | undefined;
  readonly after?: number | undefined;
  readonly batches?: number | undefined;
}

export type GetHealthInput = Readonly<Record<string, never>>;

export type GetLivenessInput = Readonly<Record<string, never>>;

export type GetReadinessInput = Readonly<Record<string, never>>;

export type GetMetricsInput = Readonly<Record<string, never>>;

export type GetOpenApiInput = Readonly<Record<string, never>>;

export interface ActivateSdkInput {
  readonly sdkId?: string | undefined;
  readonly sdkVersion?: string | undefined;
  readonly runtime?: string | undefined;
}

/** Every operation of the service. */
export interface KmsOperations {
  /**
   * Create a key. Every field is optional: without `algorithm` the key has the default algorithm of the
   * deployment. `label` is a synonym of `name`.
   */
  createKey(input?: CreateKeyInput, options?: CallOptions): Promise<Key>;

  /** List keys. The newest first. Filters that are given must all hold. */
  listKeys(input?: ListKeysInput, options?: CallOptions): Promise<KeyPage>;

  /** Count keys and operations. */
  getKeyStats(input?: GetKeyStatsInput, options?: CallOptions): Promise<KeyStatistics>;

  /** Read a key. */
  getKey(input: GetKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Change name, metadata, rotation or limits. Only the fields that are sent change; `metadata` is replaced as a
   * whole, of `rotation` and `usageLimits` only the fields in them. `null` takes a name, a period or a limit away.
   * `label` is a synonym of `name`.
   */
  updateKey(input: UpdateKeyInput, options?: CallOptions): Promise<Key>;

  /** Read the public key. Readable whatever the state of the key. For a secret key the answer is `BAD_REQUEST`. */
  getPublicKey(input: GetPublicKeyInput, options?: CallOptions): Promise<PublicKey>;

  /**
   * Make a new version. The versions before it become `decrypt-only`: they still decrypt, verify and unwrap.
   * Imported keys rotate by another import.
   */
  rotateKey(input: RotateKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Make a new version under the post-quantum default. Signing keys go to ML-DSA-65, public-key encryption to
   * ML-KEM-768, symmetric encryption to AES-256-GCM. Older versions go on as after a rotation.
   */
  upgradeKey(input: UpgradeKeyInput, options?: CallOptions): Promise<Key>;

  /** Suspend a key. It only decrypts, verifies and unwraps until it is resumed. */
  suspendKey(input: SuspendKeyInput, options?: CallOptions): Promise<Key>;

  /** Resume a suspended key. */
  resumeKey(input: ResumeKeyInput, options?: CallOptions): Promise<Key>;

  /** Revoke a key for ever. Every operation with the key fails at once. This cannot be undone. */
  revokeKey(input: RevokeKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Schedule the destruction of a key. The key is deactivated now and destroyed after the waiting period, within
   * which it can be restored.
   */
  destroyKey(input: DestroyKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Take a scheduled destruction back. The key is again what it was before. Possible until the waiting period
   * ends.
   */
  restoreKey(input: RestoreKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Destroy a key now. The material of every version is destroyed at once and for ever. What is known about the
   * key stays for audit.
   */
  shredKey(input: ShredKeyInput, options?: CallOptions): Promise<Key>;

  /** Read the policy of a key. A key without a policy answers one without statements, which means the same. */
  getKeyPolicy(input: GetKeyPolicyInput, options?: CallOptions): Promise<KeyPolicy>;

  /**
   * Replace the policy of a key. Nobody can grant what they do not hold. A policy that keeps its own writer from
   * changing it again is refused, unless `allowLockout` says that it is meant. The answer is the key.
   */
  putKeyPolicy(input: PutKeyPolicyInput, options?: CallOptions): Promise<Key>;

  /**
   * Remove the policy of a key. The permissions of the credential decide again. No policy takes this from the
   * administrators of the tenant. The answer is the key.
   */
  deleteKeyPolicy(input: DeleteKeyPolicyInput, options?: CallOptions): Promise<Key>;

  /** Encrypt. Under the current version of the key. */
  encrypt(input: EncryptInput, options?: CallOptions): Promise<EncryptAnswer>;

  /**
   * Decrypt. Under whichever version made the ciphertext. A ciphertext names its key: a `keyId` only says which
   * one it must be. Whatever is wrong with ciphertext or context, the error is the same `DECRYPT_FAILED`.
   */
  decrypt(input: DecryptInput, options?: CallOptions): Promise<DecryptAnswer>;

  /**
   * Re-encrypt. Moves a ciphertext to the current version of the same or another key; the plaintext never leaves
   * the service. The ciphertext names its own key; the key of the path, or `sourceKeyId`, only says which one it
   * must be. `keyId` in the body is a synonym of `destinationKeyId`.
   */
  reencrypt(input: ReencryptInput, options?: CallOptions): Promise<EncryptAnswer>;

  /** Sign. With the current version of the key. */
  sign(input: SignInput, options?: CallOptions): Promise<SignAnswer>;

  /** Verify a signature. A signature that does not fit is not an error: the answer says `valid: false`. */
  verify(input: VerifyInput, options?: CallOptions): Promise<VerifyAnswer>;

  /** Make a message authentication code. Under the current version of the key. */
  mac(input: MacInput, options?: CallOptions): Promise<MacAnswer>;

  /**
   * Verify a message authentication code. A code that does not fit is not an error: the answer says `valid:
   * false`.
   */
  verifyMac(input: VerifyMacInput, options?: CallOptions): Promise<VerifyAnswer>;

  /** Wrap a key. Under the current version of the key. */
  wrap(input: WrapInput, options?: CallOptions): Promise<WrapAnswer>;

  /** Unwrap a key. Whatever is wrong with wrapped key or associated data, the error is the same `DECRYPT_FAILED`. */
  unwrap(input: UnwrapInput, options?: CallOptions): Promise<UnwrapAnswer>;

  /**
   * Make a data key. A fresh key, wrapped under the current version of the key; `unwrap` opens it. Encrypt with it
   * locally, then forget it and keep the wrapped one.
   */
  createDataKey(input: CreateDataKeyInput, options?: CallOptions): Promise<DataKeyAnswer>;

  /**
   * Encapsulate a shared secret. To the current version of the KEM key. Keep `keyVersion` with the ciphertext,
   * which does not name it.
   */
  encapsulate(input: EncapsulateInput, options?: CallOptions): Promise<EncapsulateAnswer>;

  /**
   * Decapsulate a shared secret. A ciphertext that was tampered with gives another secret, not an error (FIPS 203,
   * implicit rejection): confirm the secret before use.
   */
  decapsulate(input: DecapsulateInput, options?: CallOptions): Promise<DecapsulateAnswer>;

  /**
   * Derive a key by key agreement. Key agreement with the public key of a peer, then HKDF-SHA-256 (RFC 5869); the
   * raw shared secret never leaves the service.
   */
  derive(input: DeriveInput, options?: CallOptions): Promise<DeriveAnswer>;

  /**
   * Get a public key to wrap key material under. A fresh wrapping key and the token to send with what was wrapped
   * under it, both valid until `expiresAt`.
   */
  getImportParameters(input?: GetImportParametersInput, options?: CallOptions): Promise<ImportParameters>;

  /**
   * Import key material. Makes a key of imported material, or with `keyId` a new version of an imported key.
   * Imported keys rotate only by another import. `label` is a synonym of `name`.
   */
  importKey(input: ImportKeyInput, options?: CallOptions): Promise<Key>;

  /** Get random bytes. From the HSM where one is configured, mixed with the generator of the operating system. */
  getRandom(input?: GetRandomInput, options?: CallOptions): Promise<RandomBytes>;

  /** List the keys that rotate by themselves. The next due first. */
  listRotationSchedules(
    input?: ListRotationSchedulesInput,
    options?: CallOptions,
  ): Promise<ListRotationSchedulesAnswer>;

  /** List the rotations that are due soon. The next due first. */
  listUpcomingRotations(
    input?: ListUpcomingRotationsInput,
    options?: CallOptions,
  ): Promise<ListUpcomingRotationsAnswer>;

  /**
   * Create an API token. The answer is the only one that ever shows the token: the same call repeated under its
   * `Idempotency-Key` is a `CONFLICT` that names the token in `details.tokenId`. It can hold nothing that its
   * creator does not hold.
   */
  createToken(input: CreateTokenInput, options?: CallOptions): Promise<CreatedApiToken>;

  /** List the API tokens of the tenant. The newest first. */
  listTokens(input?: ListTokensInput, options?: CallOptions): Promise<ApiTokenPage>;

  /**
   * Revoke an API token. It stops to work at once and for ever. `NOT_FOUND` when there is no live token with this
   * id.
   */
  revokeToken(input: RevokeTokenInput, options?: CallOptions): Promise<RevokedApiToken>;

  /**
   * Create a tenant. Makes the tenant and its master key. For platform credentials, which need not name a tenant
   * here.
   */
  createTenant(input: CreateTenantInput, options?: CallOptions): Promise<Tenant>;

  /** List the tenants. */
  listTenants(input?: ListTenantsInput, options?: CallOptions): Promise<ListTenantsAnswer>;

  /**
   * Destroy a tenant’s master key and with it every key. At once and for ever. What is known about the keys stays
   * for audit; nothing under them can be read again.
   */
  shredTenant(input: ShredTenantInput, options?: CallOptions): Promise<Tenant>;

  /**
   * List the evidence of the tenant. The newest first. An event appears when it is sealed, a moment after its
   * operation was answered. `NOT_FOUND` when the deployment keeps no evidence.
   */
  listAuditEvents(input?: ListAuditEventsInput, options?: CallOptions): Promise<AuditEventList>;

  /**
   * Prove that an event is in the signed evidence. An audit path of RFC 6962 with SHA3-256, from the hash of the
   * event to the root of its checkpoint.
   */
  getAuditProof(input: GetAuditProofInput, options?: CallOptions): Promise<InclusionProof>;

  /**
   * List the signed checkpoints of the evidence. The newest first. Keep one apart from the evidence: it shows
   * later that no end was cut off.
   */
  listAuditCheckpoints(input?: ListAuditCheckpointsInput, options?: CallOptions): Promise<CheckpointList>;

  /**
   * Export evidence. Whole batches after a place in the chain, oldest first. `jsonl` can be verified offline: a
   * line for each event, and after the events of a batch a line with its checkpoint. `cef` is the Common Event
   * Format, for a SIEM. The next page starts after the last sequence of this one; an empty page is the end.
   */
  exportAudit(input?: ExportAuditInput, options?: CallOptions): Promise<string>;

  /** How the service is. `degraded` still serves; `critical` does not, and has the status 503. */
  getHealth(input?: GetHealthInput, options?: CallOptions): Promise<Health>;

  /**
   * Whether the process lives. Says nothing about what the service needs: a process that waits for its store
   * lives. `checks` is empty.
   */
  getLiveness(input?: GetLivenessInput, options?: CallOptions): Promise<Health>;

  /** Whether the service wants traffic. The status 503 when it does not. */
  getReadiness(input?: GetReadinessInput, options?: CallOptions): Promise<Health>;

  /** Metrics in the text format of Prometheus. */
  getMetrics(input?: GetMetricsInput, options?: CallOptions): Promise<string>;

  /** This document. */
  getOpenApi(input?: GetOpenApiInput, options?: CallOptions): Promise<GetOpenApiAnswer>;

  /**
   * The handshake of published clients. Clients that hold an API token call this first. It grants nothing that the
   * token does not already have. Errors have a shape of their own. Unknown fields are ignored here, unlike
   * anywhere else: older and newer clients send more.
   */
  activateSdk(input?: ActivateSdkInput, options?: CallOptions): Promise<Activation>;
}
