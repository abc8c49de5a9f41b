// Written by scripts/write-generated.ts from @qnsp/kms-contract: change the contract, then "pnpm run generate".

import type { CallOptions } from '../base/call-options.ts';
import type { AlgorithmName } from './algorithms.ts';

/** The answer of {@link KmsOperations.activateSdk}. */
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

/** The answer of {@link KmsOperations.getOwnToken} and others. */
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
    | 'kms:keys:migrate'
    | 'kms:random'
    | 'kms:tokens:manage'
    | 'kms:identity-bindings:manage'
    | 'kms:approvals:read'
    | 'kms:approvals:decide'
    | 'kms:audit:read'
    | 'kms:tenants:read'
    | 'kms:tenants:rotate'
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
  readonly purpose: string | null;
  /** The only keys that it is for; `null` is every key. */
  readonly keys: readonly string[] | null;
  /** The only addresses that it is taken from; `null` is every address. */
  readonly addresses: readonly string[] | null;
  /** How many units of cost it may take in a second; `null` is as many as the tenant. */
  readonly rate: number | null;
  /** Who created it; `null` for a token from before that was recorded. */
  readonly creator: string | null;
  /** The token that created it; of those that replaced one another the first. */
  readonly parentTokenId: string | null;
  /** The token that it replaced when that was rotated. */
  readonly replaces: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Until when it is taken, where it was rotated and another one replaced it. */
  readonly overlapEndsAt: string | null;
  readonly revokedAt: string | null;
  /** The hour in which it was last used, which is written down a while later; `null` where it was not. */
  readonly lastUsedAt: string | null;
}

/** The answer of {@link KmsOperations.listTokens}. */
export interface ApiTokenPage {
  readonly items: readonly ApiToken[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.getApproval} and others. */
export interface Approval {
  readonly approvalId: string;
  readonly tenantId: string;
  /** A request waits for approvals until it is `executed`: by the same call, made again. */
  readonly state: 'pending' | 'executed' | 'refused' | 'withdrawn' | 'expired';
  /** The operation, by its id in this document. */
  readonly operation: string;
  /** What exactly is asked for. Instants are `{"date": milliseconds since 1970}`. */
  readonly request: Readonly<Record<string, unknown>>;
  /** SHA-256 over who asks for what, in hexadecimal: as in the evidence. */
  readonly requestHash: string;
  /** The id of an API token, or an issuer, `#`, and whom it names. */
  readonly requestedBy: string;
  /** How many approvals it took when it was asked for. */
  readonly required: number;
  /** How many there are. */
  readonly approved: number;
  readonly decisions: readonly {
    readonly by: string;
    readonly decision: 'approve' | 'refuse';
    readonly at: string;
  }[];
  readonly createdAt: string;
  /** Until when it waits. */
  readonly expiresAt: string;
}

/** The answer of {@link KmsOperations.listApprovals}. */
export interface ApprovalPage {
  readonly items: readonly Approval[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** Part of {@link ChainedEvent}. */
export interface AuditEvent {
  readonly eventId: string;
  readonly eventType:
    | 'kms.key.updated'
    | 'kms.key.rotated'
    | 'kms.key.upgraded'
    | 'kms.key.versions-retired'
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
    | 'kms.migration.started'
    | 'kms.migration.planned'
    | 'kms.migration.read'
    | 'kms.migration.listed'
    | 'kms.migration.cancelled'
    | 'kms.migration.completed'
    | 'kms.random'
    | 'kms.token.created'
    | 'kms.token.read'
    | 'kms.token.rotated'
    | 'kms.token.revoked'
    | 'kms.token.listed'
    | 'kms.token.removed'
    | 'kms.identity-binding.created'
    | 'kms.identity-binding.listed'
    | 'kms.identity-binding.read'
    | 'kms.identity-binding.deleted'
    | 'kms.identity.denied'
    | 'kms.identity-denial.listed'
    | 'kms.identity-denial.lifted'
    | 'kms.tenant.created'
    | 'kms.tenant.updated'
    | 'kms.tenant.shredded'
    | 'kms.tenant.listed'
    | 'kms.tenant.read'
    | 'kms.tenant.master-key-rotated'
    | 'kms.tenant.master-key-destroyed'
    | 'kms.approval.requested'
    | 'kms.approval.approved'
    | 'kms.approval.refused'
    | 'kms.approval.withdrawn'
    | 'kms.approval.executed'
    | 'kms.approval.listed'
    | 'kms.approval.read'
    | 'kms.audit.read'
    | 'kms.audit.enabled'
    | 'kms.audit.disabled'
    | 'kms.fips.entered'
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
    readonly type: 'key' | 'token' | 'identity' | 'tenant' | 'service' | 'approval';
    readonly id: string | null;
    readonly version: number | null;
  };
  /**
   * The id of the operation that was requested, or that the service carried out automatically. The operations of
   * this document have the same ids.
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
  /** What is wrong with the credential, where it is known whose it is and nobody is let in by it. */
  readonly refusedFor?:
    | 'revoked'
    | 'expired'
    | 'denied'
    | 'binding-expired'
    | 'binding-removed'
    | 'audience'
    | 'not-yet-valid'
    | 'lifetime'
    | 'certificate';
  /**
   * How many refusals of known credentials of the tenant the node left out since the last one of which it left an
   * event, whosever they were.
   */
  readonly refusedBefore?: number;
  readonly request: {
    /** Names in the encryption context, without values. */
    readonly contextKeys: readonly string[];
  };
  /**
   * The id that the event had while it waited when the database was copied; the previous epoch may have it under
   * that id.
   */
  readonly repeats?: string;
  readonly changes?: {
    readonly before: Readonly<Record<string, string | number | boolean | null | readonly string[]>> | null;
    readonly after: Readonly<Record<string, string | number | boolean | null | readonly string[]>> | null;
  };
}

/** The answer of {@link KmsOperations.listAuditEvents}. */
export interface AuditEventList {
  readonly items: readonly ChainedEvent[];
  /** `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** Part of {@link AuditEventList}. */
export interface ChainedEvent {
  /** The place in the chain of the tenant, from 1 without gaps. */
  readonly sequence: number;
  readonly previousHash: string;
  /** SHA3-256 of the canonical JSON of `{event, previousHash, sequence}`. */
  readonly hash: string;
  readonly event: AuditEvent;
}

/** Part of {@link InclusionProof}. */
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
  /** Absent in the first format, which lacks this field and the next two. */
  readonly version?: 2;
  /** The epoch of the database: since when a restored copy has been serving, and from what time its data was. */
  readonly epoch?: {
    readonly since: string;
    readonly dataAsOf: string;
  } | null;
  /** The keys that signed the chain, the current one last, and the event from which each signed. */
  readonly signingKeys?: readonly {
    readonly keyId: string;
    readonly firstSequence: number;
  }[];
  /** A JWS with a detached payload: the canonical JSON of the other members. */
  readonly signature: string;
}

/** The answer of {@link KmsOperations.listAuditCheckpoints}. */
export interface CheckpointList {
  readonly items: readonly Checkpoint[];
  /** `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.createToken} and others. */
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
    | 'kms:keys:migrate'
    | 'kms:random'
    | 'kms:tokens:manage'
    | 'kms:identity-bindings:manage'
    | 'kms:approvals:read'
    | 'kms:approvals:decide'
    | 'kms:audit:read'
    | 'kms:tenants:read'
    | 'kms:tenants:rotate'
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
  readonly purpose: string | null;
  /** The only keys that it is for; `null` is every key. */
  readonly keys: readonly string[] | null;
  /** The only addresses that it is taken from; `null` is every address. */
  readonly addresses: readonly string[] | null;
  /** How many units of cost it may take in a second; `null` is as many as the tenant. */
  readonly rate: number | null;
  /** Who created it; `null` for a token from before that was recorded. */
  readonly creator: string | null;
  /** The token that created it; of those that replaced one another the first. */
  readonly parentTokenId: string | null;
  /** The token that it replaced when that was rotated. */
  readonly replaces: string | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Until when it is taken, where it was rotated and another one replaced it. */
  readonly overlapEndsAt: string | null;
  readonly revokedAt: string | null;
  /** The hour in which it was last used, which is written down a while later; `null` where it was not. */
  readonly lastUsedAt: string | null;
  /** The token itself; it is never shown again. */
  readonly token: string;
  /** What signs requests in its place, for clients of AWS KMS; never shown again. */
  readonly awsCredentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
}

/** The answer of {@link KmsOperations.createMigration}. */
export interface CreatedMigration {
  /** The migration that was started; `null` for a dry run. */
  readonly migration: Migration | null;
  /** The plan of a dry run, the newest keys first. */
  readonly plan: MigrationPlan | null;
}

/** The answer of {@link KmsOperations.createDataKey}. */
export interface DataKeyAnswer {
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
  readonly wrappedKey: Uint8Array;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** The provider whose root or hardware protects the wrapping key. */
  readonly provider: string;
  readonly dataKey?: Uint8Array;
}

/** The answer of {@link KmsOperations.decapsulate}. */
export interface DecapsulateAnswer {
  readonly sharedSecret: Uint8Array;
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
}

/** The answer of {@link KmsOperations.decrypt}. */
export interface DecryptAnswer {
  readonly plaintext: Uint8Array;
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
}

/** The answer of {@link KmsOperations.deleteIdentityBinding}. */
export interface DeletedIdentityBinding {
  readonly bindingId: string;
  readonly deleted: true;
}

/** Part of {@link InventoryPage}. */
export interface DeploymentProtocol {
  /** What it protects the way to. */
  readonly use: 'api' | 'database' | 'redis' | 'hsm';
  /** `none` if the way is in the clear, or never leaves the machine. */
  readonly protocol: 'tls' | 'pkcs11' | 'none';
  /** The oldest version that is spoken. */
  readonly version?: string;
  /** What keys are agreed by, the preferred one first. */
  readonly groups?: readonly string[];
  /** How the other side is verified. */
  readonly verification?: string;
  /** The certificate of the service first. */
  readonly certificates?: readonly {
    readonly subject: string;
    readonly issuer: string;
    readonly notBefore: string;
    readonly notAfter: string;
    readonly serialNumber: string;
    /** The kind of its key. */
    readonly publicKey: string;
    /** What it was signed with; `null` if OpenSSL does not know. */
    readonly signature: string | null;
  }[];
  /** The name of the HSM provider. */
  readonly provider?: string;
  /** What the service uses of the HSM for keys in it. */
  readonly mechanisms?: readonly string[];
}

/** The answer of {@link KmsOperations.derive}. */
export interface DeriveAnswer {
  readonly derivedKey: Uint8Array;
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

/** The answer of {@link KmsOperations.encapsulate}. */
export interface EncapsulateAnswer {
  readonly sharedSecret: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

/** The answer of {@link KmsOperations.encrypt} and others. */
export interface EncryptAnswer {
  readonly ciphertext: Uint8Array;
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

/** The answer of {@link KmsOperations.getOpenApi}. */
export interface GetOpenApiAnswer {}

/** The answer of {@link KmsOperations.getHealth} and others. */
export interface Health {
  readonly status: 'ok' | 'degraded' | 'critical';
  readonly service: 'kms-service';
  readonly version: string;
  readonly timestamp: string;
  /** Seconds since the service started. */
  readonly uptime: number;
  /** What was checked, by name: the store, the roots, the caches. */
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

/** The answer of {@link KmsOperations.createIdentityBinding} and others. */
export interface IdentityBinding {
  readonly bindingId: string;
  readonly tenantId: string;
  readonly issuer: string;
  readonly match: Readonly<Record<string, string>>;
  /** Claims of the certificate that the client has to have besides; `null` where none is demanded. */
  readonly certificate: Readonly<Record<string, string>> | null;
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
    | 'kms:keys:migrate'
    | 'kms:random'
    | 'kms:tokens:manage'
    | 'kms:identity-bindings:manage'
    | 'kms:approvals:read'
    | 'kms:approvals:decide'
    | 'kms:audit:read'
    | 'kms:tenants:read'
    | 'kms:tenants:rotate'
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
  /** The only keys that it is for; `null` is every key. */
  readonly keys: readonly string[] | null;
  readonly createdAt: string;
  /** Who made it: the id of an API token, or an issuer, `#`, and whom it names. */
  readonly createdBy: string;
  readonly expiresAt: string | null;
}

/** The answer of {@link KmsOperations.listIdentityBindings}. */
export interface IdentityBindingPage {
  readonly items: readonly IdentityBinding[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.denyIdentity} and others. */
export interface IdentityDenial {
  readonly denialId: string;
  readonly tenantId: string;
  readonly issuer: string;
  readonly sub: string | null;
  readonly jti: string | null;
  readonly before: string;
  /** When all that it refuses has expired. */
  readonly endsAt: string;
  readonly createdAt: string;
  readonly createdBy: string;
  /** When it was lifted; `null` while it is in force. */
  readonly liftedAt: string | null;
  readonly liftedBy: string | null;
}

/** The answer of {@link KmsOperations.listIdentityDenials}. */
export interface IdentityDenialPage {
  readonly items: readonly IdentityDenial[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.getImportParameters}. */
export interface ImportParameters {
  readonly wrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' | 'ML_KEM_768_AES_KWP';
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  /** The same key in PEM. */
  readonly publicKeyPem: string;
  readonly importToken: Uint8Array;
  readonly expiresAt: string;
}

/** The answer of {@link KmsOperations.getAuditProof}. */
export interface InclusionProof {
  readonly event: ChainedEvent;
  readonly leafIndex: number;
  readonly path: readonly string[];
  readonly checkpoint: Checkpoint;
}

/** Part of {@link InventoryPage}. */
export interface InventoryKey {
  readonly tenantId: string;
  readonly keyId: string;
  readonly name: string | null;
  readonly state: 'active' | 'suspended' | 'deactivated' | 'revoked' | 'destroyed';
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
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** The name of the algorithm in its standard. */
  readonly algorithmNist: string;
  readonly fipsApproved: boolean;
  readonly protectionLevel: 'software' | 'hsm';
  /** Whether every version that can still be used withstands a quantum computer. */
  readonly quantumSafe: boolean;
  readonly currentVersion: number;
  /** All versions, oldest first. */
  readonly versions: readonly {
    readonly version: number;
    readonly state: 'active' | 'decrypt-only' | 'deactivated' | 'destroyed';
    readonly origin: 'generated' | 'imported';
    /** The root or HSM provider that protects it. */
    readonly provider: string;
    /** The platform id of the algorithm. */
    readonly algorithm: string;
    /** The name of the algorithm in its standard. */
    readonly algorithmNist: string;
    /** The standard that defines the algorithm. */
    readonly standard: string;
    /**
     * The security strength category of NIST, from 1 (AES-128) to 5 (AES-256); 0 if a quantum computer breaks it,
     * `null` for an imported key of unknown length.
     */
    readonly nistCategory: number | null;
    /** The strength in bits against classical computers; `null` as above. */
    readonly classicalBits: number | null;
    readonly quantumSafe: boolean;
    /** Whether a FIPS 140-3 module may use the algorithm in approved mode. */
    readonly fipsApproved: boolean;
    readonly createdAt: string;
    /** Whole days since it was created. */
    readonly ageDays: number;
    /**
     * How many messages were counted against what the version may protect, in the blocks that nodes reserve; `null`
     * if none are counted.
     */
    readonly countedMessages: number | null;
    /** The beginning of the hour in which it last protected something new; `null` if no such use is recorded. */
    readonly lastProtectedAt: string | null;
    /** The same for decrypting, verifying and unwrapping what it protected. */
    readonly lastProcessedAt: string | null;
  }[];
  readonly rotation: {
    readonly rotationPeriod: string | null;
    readonly autoRotate: boolean;
    readonly nextRotationAt: string | null;
  };
  /**
   * How many operations were counted against `maxOperations`, in the blocks that nodes reserve; `null` if none are
   * counted.
   */
  readonly countedOperations: number | null;
  readonly maxOperations: number | null;
  /** Since when its uses are recorded; nothing is known of earlier ones. */
  readonly usesSince: string;
  readonly expiresAt: string | null;
  readonly createdAt: string;
  /** Whole days since it was created. */
  readonly ageDays: number;
  readonly destroyAt: string | null;
  /** What of the further use of the key violates the crypto policy of the deployment, if it has one. */
  readonly policyViolations?: readonly {
    /** The platform id of the algorithm. */
    readonly algorithm: string;
    readonly act: 'create' | 'protect' | 'process';
    /** Whether it is still done, or already refused. */
    readonly verdict: 'discouraged' | 'refused';
    /** Since when, or from when on, it is refused; `null` if it never is or always was. */
    readonly refusedFrom: string | null;
    /** Where the source of the policy says so. */
    readonly source: string;
  }[];
  readonly revocation: {
    readonly reason: 'suspected_compromise' | 'policy_violation' | 'end_of_life' | 'crypto_weakness';
    readonly revokedAt: string;
  } | null;
}

/** The answer of {@link KmsOperations.getInventory}. */
export interface InventoryPage {
  readonly items: readonly InventoryKey[];
  /** Where the next page starts; `null` on the last page. A page may hold fewer items than `limit`. */
  readonly nextCursor: string | null;
  /**
   * The protocols of the deployment: for a tenant what its clients speak, for the platform those behind the
   * service as well.
   */
  readonly protocols?: readonly DeploymentProtocol[];
  /**
   * Names the keys that are missing because their stored record failed its integrity check, counts those that
   * their policies hide, and names the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.createKey} and others. */
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
  /** `suspended` keys only decrypt, verify and unwrap; `deactivated` keys await their destruction and do nothing. */
  readonly state: 'active' | 'suspended' | 'deactivated' | 'revoked' | 'destroyed';
  readonly currentVersion: number;
  /** All versions, oldest first. */
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
  /** Counts the changes to the key; send it as `If-Match` so that a change applies only to the revision you saw. */
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** When the key will be destroyed, if its destruction is scheduled. */
  readonly destroyAt: string | null;
  /** Present on revoked keys. */
  readonly revocation?: {
    readonly reason: 'suspected_compromise' | 'policy_violation' | 'end_of_life' | 'crypto_weakness';
    readonly revokedAt: string;
  };
  /**
   * For how many days after its last use the key is destroyed only by who acknowledges that use; absent on keys
   * without a guard of their own.
   */
  readonly destroyGuardDays?: number;
  /**
   * How many others have to approve its end and changes of its policy; absent on keys that themselves ask for
   * nobody.
   */
  readonly requireApproval?: number;
  /** What was done differently from what was requested, and when a key was last used that is being destroyed. */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.listKeys}. */
export interface KeyPage {
  readonly items: readonly Key[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.getKeyPolicy}. */
export interface KeyPolicy {
  readonly version: '1';
  readonly statements: readonly {
    readonly effect: 'allow' | 'deny';
    /** Permissions, with `*` at the end as a wildcard. */
    readonly actions: readonly string[];
    /** Key ids, or `*`. */
    readonly resources: readonly string[];
    /** Subjects; if absent, everyone. */
    readonly principals?: readonly string[] | undefined;
    /** Every condition that is present must hold. */
    readonly conditions?:
      | {
          readonly tenant?: string | readonly string[] | undefined;
          /** Addresses or CIDR blocks that the caller must be in. */
          readonly ip?: string | readonly string[] | undefined;
          /** The statement applies from `notBefore` until just before `notAfter`. */
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

/** The answer of {@link KmsOperations.getKeyStats}. */
export interface KeyStatistics {
  readonly total: number;
  readonly byState: Readonly<Record<string, number>>;
  readonly byAlgorithm: Readonly<Record<string, number>>;
  /**
   * Operations that used a key since the first of the month, in UTC; the most recent ones on other nodes may be
   * missing.
   */
  readonly operationsThisMonth: number;
}

/** The answer of {@link KmsOperations.getKeyUsage}. */
export interface KeyUsage {
  readonly keyId: string;
  readonly days: number;
  /** From when on uses of the key are written down. */
  readonly since: string;
  readonly versions: readonly {
    readonly version: number;
    readonly state: 'active' | 'decrypt-only' | 'deactivated' | 'destroyed';
    /** The platform id of the algorithm. */
    readonly algorithm: string;
    readonly createdAt: string;
    /** The beginning of the hour in which it last protected something new. */
    readonly protectedAt: string | null;
    /** The beginning of the hour in which it last processed what it protected. */
    readonly processedAt: string | null;
    /** Whether that was in these days; `null` where uses are not known for as long. */
    readonly isUsed: boolean | null;
  }[];
}

/** The answer of {@link KmsOperations.listRotationSchedules}. */
export interface ListRotationSchedulesAnswer {
  readonly items: readonly RotationSchedule[];
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.listUpcomingRotations}. */
export interface ListUpcomingRotationsAnswer {
  readonly items: readonly RotationSchedule[];
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.mac}. */
export interface MacAnswer {
  readonly mac: Uint8Array;
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

/** The answer of {@link KmsOperations.getMigration} and others. */
export interface Migration {
  readonly migrationId: string;
  readonly state: 'running' | 'completed' | 'cancelled';
  readonly selector: {
    /** The platform id of the algorithm. */
    readonly algorithm?: string;
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
      | 'wrap';
    readonly protectionLevel?: 'software' | 'hsm';
    readonly name?: string;
    readonly keyIds?: readonly string[];
  };
  /** `quantum-safe`, or the platform id of an algorithm. */
  readonly target: string;
  /** Who started it: the id of an API token, or an issuer, `#`, and whom it names. */
  readonly startedBy: string;
  readonly createdAt: string;
  readonly endedAt: string | null;
  readonly keys: {
    /** How many keys the tenant had at the start that were not destroyed. */
    readonly total: number;
    /** How many of them were looked at in this pass. */
    readonly examined: number;
    /** How many have got a version under their new algorithm. */
    readonly upgraded: number;
    /** How many need none, or are not meant. */
    readonly unchanged: number;
    /** How many are tried once more, as their HSM did not answer or they kept changing. */
    readonly waiting: number;
    /**
     * How many stay as they are, by reason: imported, state, quota, policy, fips, crypto-policy, hsm, no-successor,
     * purpose, weaker, unavailable, unreadable, failed.
     */
    readonly refused: Readonly<Record<string, number>>;
  };
}

/** The answer of {@link KmsOperations.listMigrations}. */
export interface MigrationPage {
  readonly items: readonly Migration[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** Part of {@link CreatedMigration}. */
export interface MigrationPlan {
  readonly items: readonly PlannedKey[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** Part of what a request takes. */
export interface MigrationSelector {
  /** Keys of this algorithm. */
  readonly algorithm?: string;
  /** Keys for this. */
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
    | 'wrap';
  readonly protectionLevel?: 'software' | 'hsm';
  /** Keys of this name. */
  readonly name?: string;
  /** These keys. */
  readonly keyIds?: readonly string[];
}

/** Part of {@link MigrationPlan}. */
export interface PlannedKey {
  readonly keyId: string;
  readonly name: string | null;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** Whether it would be upgraded, needs nothing, or stays as it is although it is meant. */
  readonly action: 'upgrade' | 'none' | 'refuse';
  /** The platform id of the algorithm that it would get. */
  readonly target: string | null;
  /** Why it would stay as it is. */
  readonly refusal:
    | 'imported'
    | 'state'
    | 'quota'
    | 'policy'
    | 'fips'
    | 'crypto-policy'
    | 'hsm'
    | 'no-successor'
    | 'purpose'
    | 'weaker'
    | 'unavailable'
    | 'unreadable'
    | 'failed'
    | null;
}

/** The answer of {@link KmsOperations.getPublicKey}. */
export interface PublicKey {
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  /** The same key in PEM. */
  readonly publicKeyPem: string;
}

/** The answer of {@link KmsOperations.getRandom}. */
export interface RandomBytes {
  readonly random: Uint8Array;
  /** The number of bytes returned. */
  readonly bytes: number;
}

/** The answer of {@link KmsOperations.revokeToken}. */
export interface RevokedApiToken {
  readonly tokenId: string;
  readonly revoked: true;
  /** How many tokens this call ended; none if they had ended already. */
  readonly revokedTokens: number;
  /** Whether live tokens of the lineage are left, as one call ends 1000: repeat it with a new key. */
  readonly more: boolean;
  /** What this call did not end, such as the token that replaced a rotated one. */
  readonly warnings?: readonly string[];
}

/** Part of {@link ListRotationSchedulesAnswer}. */
export interface RotationSchedule {
  readonly keyId: string;
  readonly name: string | null;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  readonly rotationPeriod: string | null;
  readonly nextRotationAt: string | null;
}

/** Part of what a request takes. */
export interface RotationSettings {
  /** How often the key rotates; `null` means never. */
  readonly rotationPeriod?: string | number | null | undefined;
  /** Whether it rotates automatically; true if there is a period. */
  readonly autoRotate?: boolean | undefined;
  /** How many versions remain usable, including the active one; `null` keeps all. */
  readonly retainVersions?: number | null | undefined;
}

/** The answer of {@link KmsOperations.sign}. */
export interface SignAnswer {
  readonly signature: Uint8Array;
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

/** The answer of {@link KmsOperations.createTenant} and others. */
export interface Tenant {
  readonly tenantId: string;
  readonly name: string;
  readonly state: 'active' | 'shredded';
  readonly createdAt: string;
  readonly limits: {
    /** How much it may take in place of what holds for all tenants; `null`: as for all. */
    readonly rate: {
      /** 0 is no limit. */
      readonly unitsPerSecond: number;
      /** How many units of cost it may take at once after a pause. */
      readonly burst: number;
    } | null;
    /** How many keys it may have that are not destroyed. 0 is any number; `null`: as for all. */
    readonly keys: number | null;
    /** How many versions each of its keys may have. 0 is any number; `null`: as for all. */
    readonly keyVersions: number | null;
    /**
     * How many API tokens that were neither revoked nor replaced, and have not expired. 0 is any number; `null`: as
     * for all.
     */
    readonly tokens: number | null;
    /** How many identity bindings. 0 is any number; `null`: as for all. */
    readonly identityBindings: number | null;
    /** How many operations it may do in a month, in UTC. 0 is any number; `null`: as for all. */
    readonly operationsPerMonth: number | null;
    /** How many answers are kept for it under idempotency keys, each for a day. 0 is any number; `null`: as for all. */
    readonly keptAnswers: number | null;
    /**
     * For how many days after its last use a key is destroyed only by who acknowledges that use; 0 is no guard,
     * `null`: as for all.
     */
    readonly destroyGuardDays: number | null;
    /** How many others have to approve what cannot be undone; 0 is nobody, `null`: as for all. */
    readonly requireApproval: number | null;
  };
}

/** The answer of {@link KmsOperations.getTenant} and others. */
export interface TenantDetails {
  readonly tenantId: string;
  readonly name: string;
  readonly state: 'active' | 'shredded';
  readonly createdAt: string;
  readonly limits: {
    /** How much it may take in place of what holds for all tenants; `null`: as for all. */
    readonly rate: {
      /** 0 is no limit. */
      readonly unitsPerSecond: number;
      /** How many units of cost it may take at once after a pause. */
      readonly burst: number;
    } | null;
    /** How many keys it may have that are not destroyed. 0 is any number; `null`: as for all. */
    readonly keys: number | null;
    /** How many versions each of its keys may have. 0 is any number; `null`: as for all. */
    readonly keyVersions: number | null;
    /**
     * How many API tokens that were neither revoked nor replaced, and have not expired. 0 is any number; `null`: as
     * for all.
     */
    readonly tokens: number | null;
    /** How many identity bindings. 0 is any number; `null`: as for all. */
    readonly identityBindings: number | null;
    /** How many operations it may do in a month, in UTC. 0 is any number; `null`: as for all. */
    readonly operationsPerMonth: number | null;
    /** How many answers are kept for it under idempotency keys, each for a day. 0 is any number; `null`: as for all. */
    readonly keptAnswers: number | null;
    /**
     * For how many days after its last use a key is destroyed only by who acknowledges that use; 0 is no guard,
     * `null`: as for all.
     */
    readonly destroyGuardDays: number | null;
    /** How many others have to approve what cannot be undone; 0 is nobody, `null`: as for all. */
    readonly requireApproval: number | null;
  };
  /** `null` for a tenant that was shredded. */
  readonly masterKey: {
    /** The version under which everything new is sealed. */
    readonly version: number;
    /** The oldest version that there still is; an earlier one goes when nothing is under it. */
    readonly oldestVersion: number;
    /** When `version` was made. */
    readonly createdAt: string;
    /** How far everything is sealed again under `version`. */
    readonly resealing: {
      /** How many of them are under `version`. */
      readonly done: number;
      /** How many keys, identity bindings and denials the tenant has. */
      readonly total: number;
    };
  } | null;
}

/** The answer of {@link KmsOperations.listTenants}. */
export interface TenantPage {
  readonly items: readonly Tenant[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /**
   * Names the keys or tokens that are missing from `items` because their stored record failed its integrity check,
   * and the parts of the query that were ignored.
   */
  readonly warnings?: readonly string[];
}

/** The answer of {@link KmsOperations.getTenantUsage}. */
export interface TenantUsage {
  readonly tenantId: string;
  /** How many units of cost it may take in a second, and at once after a pause; `null`: any number. */
  readonly rate: {
    readonly unitsPerSecond: number;
    readonly burst: number;
  } | null;
  /** Keys that are not destroyed. */
  readonly keys: {
    readonly used: number;
    readonly maximum: number | null;
  };
  /** Of each of its keys, whose `currentVersion` says how many it has. */
  readonly keyVersions: {
    readonly maximum: number | null;
  };
  /** API tokens that were neither revoked nor replaced, and have not expired. */
  readonly tokens: {
    readonly used: number;
    readonly maximum: number | null;
  };
  /** Identity bindings. */
  readonly identityBindings: {
    readonly used: number;
    readonly maximum: number | null;
  };
  /**
   * Operations that used a key since the first of the month, in UTC; the newest ones of other nodes may be
   * missing.
   */
  readonly operationsThisMonth: number;
  /** How many those may be. */
  readonly operationsPerMonth: {
    readonly maximum: number | null;
  };
  /** Answers that are kept under idempotency keys, each for a day. */
  readonly keptAnswers: {
    readonly used: number;
    readonly maximum: number | null;
  };
}

/** The answer of {@link KmsOperations.unwrap}. */
export interface UnwrapAnswer {
  readonly dataKey: Uint8Array;
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
}

/** Part of what a request takes. */
export interface UsageLimits {
  /** How many operations the key may perform in its lifetime; `null` means no limit. */
  readonly maxOperations?: number | null | undefined;
  /** When the key stops protecting new data; it still opens what it has protected. `null` means never. */
  readonly expiresAt?: string | Date | null | undefined;
}

/** The answer of {@link KmsOperations.verify} and others. */
export interface VerifyAnswer {
  readonly valid: boolean;
  readonly keyId: string;
  /** The version that made it; if it is not valid, the version that was tried first. */
  readonly keyVersion: number;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
}

/** The answer of {@link KmsOperations.wrap}. */
export interface WrapAnswer {
  readonly keyId: string;
  /** The version of the key, counted from 1. */
  readonly keyVersion: number;
  readonly wrappedKey: Uint8Array;
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  /** The provider whose root or hardware protects the wrapping key. */
  readonly provider: string;
}

/** What {@link KmsOperations.createKey} takes. */
export interface CreateKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /**
   * The platform id, the name in the standard or a usual spelling, in upper or lower case. If absent or empty, the
   * default algorithm of the deployment.
   */
  readonly algorithm?: AlgorithmName | undefined;
  /** Where the material is kept (default: `software`). */
  readonly protectionLevel?: 'software' | 'hsm' | undefined;
  /** A human-readable name; it need not be unique. */
  readonly name?: string | undefined;
  /**
   * What the key is for. If absent or empty, the purpose is that of the algorithm. A purpose that the algorithm
   * cannot serve becomes that of the algorithm, and the answer says so in `warnings`.
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
   * Facts about the key for people and programs, never a secret: any JSON, which is returned as it was sent. At
   * most 16 KiB, 8 levels, 64 members in each object, 128 characters in each name and 1024 in each text. Whole
   * numbers are at most 9007199254740991 in absolute value; send larger ones as text.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Requires the permission `kms:keys:policy`. */
  readonly policy?: KeyPolicy | undefined;
  /** Also accepts a policy that keeps its writer from changing it again, which is otherwise refused. */
  readonly allowLockout?: boolean | undefined;
  /** The key that protects this one in the tenant's own hierarchy; revocation with `cascade` follows it. */
  readonly parentKeyId?: string | undefined;
  /**
   * For how many days after its last use the key is destroyed only by who acknowledges that use; `null` and 0 are
   * no guard beside that of the tenant or the deployment.
   */
  readonly destroyGuardDays?: number | null | undefined;
  /**
   * How many others have to approve before the key is destroyed or shredded, or its policy is changed; `null` and
   * 0 are nobody beside what the tenant or the deployment asks for. To lower it takes as many approvals.
   */
  readonly requireApproval?: number | null | undefined;
}

/** What {@link KmsOperations.listKeys} takes. */
export interface ListKeysInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
  readonly state?: 'active' | 'suspended' | 'deactivated' | 'revoked' | 'destroyed' | undefined;
  /** The platform id, the name in the standard or a usual spelling, in upper or lower case. */
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
  /** The complete name. */
  readonly name?: string | undefined;
}

/** What {@link KmsOperations.getKeyStats} takes. */
export interface GetKeyStatsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
}

/** What {@link KmsOperations.getKey} takes. */
export interface GetKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly keyId: string;
}

/** What {@link KmsOperations.updateKey} takes. */
export interface UpdateKeyInput {
  readonly tenantId?: string | null | undefined;
  readonly name?: string | null | undefined;
  /**
   * Facts about the key for people and programs, never a secret: any JSON, which is returned as it was sent. At
   * most 16 KiB, 8 levels, 64 members in each object, 128 characters in each name and 1024 in each text. Whole
   * numbers are at most 9007199254740991 in absolute value; send larger ones as text.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly rotation?: RotationSettings | undefined;
  readonly usageLimits?: UsageLimits | undefined;
  /**
   * For how many days after its last use the key is destroyed only by who acknowledges that use; `null` and 0 are
   * no guard beside that of the tenant or the deployment.
   */
  readonly destroyGuardDays?: number | null | undefined;
  /**
   * How many others have to approve before the key is destroyed or shredded, or its policy is changed; `null` and
   * 0 are nobody beside what the tenant or the deployment asks for. To lower it takes as many approvals.
   */
  readonly requireApproval?: number | null | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.getKeyUsage} takes. */
export interface GetKeyUsageInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** How far back `isUsed` looks. */
  readonly days?: number | undefined;
  readonly keyId: string;
}

/** What {@link KmsOperations.getPublicKey} takes. */
export interface GetPublicKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The version of the key (default: the current one). */
  readonly version?: number | undefined;
  readonly keyId: string;
}

/** What {@link KmsOperations.rotateKey} takes. */
export interface RotateKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The reason, for the audit trail; an empty one is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.upgradeKey} takes. */
export interface UpgradeKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The reason, for the audit trail; an empty one is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.retireVersions} takes. */
export interface RetireVersionsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** In days. */
  readonly olderThanDays: number;
  /** The reason, for the audit trail; an empty one is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.suspendKey} takes. */
export interface SuspendKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The reason, for the audit trail; an empty one is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.resumeKey} takes. */
export interface ResumeKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The reason, for the audit trail; an empty one is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.revokeKey} takes. */
export interface RevokeKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly reason: 'suspected_compromise' | 'policy_violation' | 'end_of_life' | 'crypto_weakness';
  /**
   * Whether the keys below it in the hierarchy are revoked too (default: false). The key itself is revoked in any
   * case, and `warnings` name those below it that could not be.
   */
  readonly cascade?: boolean | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.destroyKey} takes. */
export interface DestroyKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** Days until the destruction (default: 7). */
  readonly pendingWindow?: number | undefined;
  /**
   * The hour in which the key was last used, as `details.lastUse` of the refusal names it. A guarded key that was
   * used lately is not destroyed without it, and no key with a wrong one.
   */
  readonly acknowledgeLastUse?: string | Date | undefined;
  /** The reason, for the audit trail; an empty one is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.restoreKey} takes. */
export interface RestoreKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The reason, for the audit trail; an empty one is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.shredKey} takes. */
export interface ShredKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** `SHRED-` and the id of the key. */
  readonly confirmation: string;
  /**
   * The hour in which the key was last used, as `details.lastUse` of the refusal names it. A guarded key that was
   * used lately is not destroyed without it, and no key with a wrong one.
   */
  readonly acknowledgeLastUse?: string | Date | undefined;
  /** The reason, for the audit trail; an empty one is the same as none. */
  readonly reason?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.createMigration} takes. */
export interface CreateMigrationInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** Which keys are meant: those that meet all of it (default: every key of the tenant). */
  readonly selector?: MigrationSelector | undefined;
  /**
   * `quantum-safe`, which is the post-quantum default for what each key does, or an algorithm: the platform id,
   * the name in the standard or a usual spelling, in upper or lower case.
   */
  readonly target: string;
  /** Only say what would be done (default: false). */
  readonly dryRun?: boolean | undefined;
  /** How many keys a page of a dry run looks at (default: 50). */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** What {@link KmsOperations.listMigrations} takes. */
export interface ListMigrationsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** What {@link KmsOperations.getMigration} takes. */
export interface GetMigrationInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly migrationId: string;
}

/** What {@link KmsOperations.cancelMigration} takes. */
export interface CancelMigrationInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly migrationId: string;
}

/** What {@link KmsOperations.getKeyPolicy} takes. */
export interface GetKeyPolicyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly keyId: string;
}

/** What {@link KmsOperations.putKeyPolicy} takes. */
export interface PutKeyPolicyInput {
  readonly version: '1';
  readonly statements: readonly {
    readonly effect: 'allow' | 'deny';
    /** Permissions, with `*` at the end as a wildcard. */
    readonly actions: readonly string[];
    /** Key ids, or `*`. */
    readonly resources: readonly string[];
    /** Subjects; if absent, everyone. */
    readonly principals?: readonly string[] | undefined;
    /** Every condition that is present must hold. */
    readonly conditions?:
      | {
          readonly tenant?: string | readonly string[] | undefined;
          /** Addresses or CIDR blocks that the caller must be in. */
          readonly ip?: string | readonly string[] | undefined;
          /** The statement applies from `notBefore` until just before `notAfter`. */
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
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** Also accepts a policy that keeps its writer from changing it again, which is otherwise refused. */
  readonly allowLockout?: boolean | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.deleteKeyPolicy} takes. */
export interface DeleteKeyPolicyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly keyId: string;
  /** Do it only while the key has this revision; otherwise `CONFLICT`. */
  readonly ifRevision?: number | undefined;
}

/** What {@link KmsOperations.encrypt} takes. */
export interface EncryptInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** At most 64 KiB; encrypt larger data locally under a data key. */
  readonly plaintext: Uint8Array;
  /**
   * Names and values that are authenticated with the ciphertext: decrypting requires the same ones, in any order.
   * Not secret. An empty object is the same as none.
   */
  readonly context?: Readonly<Record<string, string>> | undefined;
}

/** What {@link KmsOperations.decrypt} takes. */
export interface DecryptInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId?: string | undefined;
  /** What `encrypt` returned; it names its key and version itself. */
  readonly ciphertext: Uint8Array;
  /**
   * Names and values that are authenticated with the ciphertext: decrypting requires the same ones, in any order.
   * Not secret. An empty object is the same as none.
   */
  readonly context?: Readonly<Record<string, string>> | undefined;
}

/** What {@link KmsOperations.reencrypt} takes. */
export interface ReencryptInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key that the ciphertext must be under; if the path names it too, it must be the same. */
  readonly sourceKeyId?: string | undefined;
  /** The key to encrypt under (default: the same key). */
  readonly destinationKeyId?: string | undefined;
  /** What `encrypt` returned; it names its key and version itself. */
  readonly ciphertext: Uint8Array;
  /** The context of the ciphertext. */
  readonly context?: Readonly<Record<string, string>> | undefined;
  /** The context of the new ciphertext (default: the same context). */
  readonly newContext?: Readonly<Record<string, string>> | undefined;
}

/** What {@link KmsOperations.sign} takes. */
export interface SignInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** The message itself, or with `messageType: digest` its digest. `message` is a synonym. */
  readonly data: Uint8Array;
  /** The context string of ML-DSA and SLH-DSA, at most 255 bytes. Other algorithms have none and refuse it. */
  readonly context?: Uint8Array | undefined;
  /** The encoding of an ECDSA signature (default: `der`). */
  readonly format?: 'der' | 'ieee-p1363' | undefined;
  /** The padding of an RSA signature (default: PSS with a salt as long as the digest). */
  readonly scheme?: 'pss' | 'pkcs1-v1_5' | undefined;
  /**
   * What `data` is: the message (`raw`, the default), or the digest of it that was made elsewhere, of as many
   * bytes as `hash` makes. ECDSA and RSA alone sign digests; the signature is the same as that of the message.
   */
  readonly messageType?: 'raw' | 'digest' | undefined;
  /**
   * What the message is hashed with, or was, for ECDSA and RSA (default: SHA-384 for P-384, SHA-256 for the
   * others).
   */
  readonly hash?: 'sha256' | 'sha384' | 'sha512' | undefined;
  /** Sign with this version or not at all: one that was superseded no longer signs (`KEY_STATE_INVALID`). */
  readonly keyVersion?: number | undefined;
}

/** What {@link KmsOperations.verify} takes. */
export interface VerifyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** The message itself, or with `messageType: digest` its digest. `message` is a synonym. */
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
  /** The context string of ML-DSA and SLH-DSA, at most 255 bytes. Other algorithms have none and refuse it. */
  readonly context?: Uint8Array | undefined;
  /** The encoding of an ECDSA signature (default: `der`). */
  readonly format?: 'der' | 'ieee-p1363' | undefined;
  /** The padding of an RSA signature (default: PSS with a salt as long as the digest). */
  readonly scheme?: 'pss' | 'pkcs1-v1_5' | undefined;
  /**
   * What `data` is: the message (`raw`, the default), or the digest of it that was made elsewhere, of as many
   * bytes as `hash` makes. ECDSA and RSA alone sign digests; the signature is the same as that of the message.
   */
  readonly messageType?: 'raw' | 'digest' | undefined;
  /**
   * What the message is hashed with, or was, for ECDSA and RSA (default: SHA-384 for P-384, SHA-256 for the
   * others).
   */
  readonly hash?: 'sha256' | 'sha384' | 'sha512' | undefined;
  /**
   * Only this version; if absent, the newest 32 that may still verify. If none of them accepts and the key has
   * older ones, the answer is `BAD_REQUEST`, which asks for the version.
   */
  readonly keyVersion?: number | undefined;
}

/** What {@link KmsOperations.mac} takes. */
export interface MacInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** The message itself. */
  readonly data: Uint8Array;
  /**
   * The version (default: the current one). One that was superseded is possible as long as it verifies, so that
   * codes that were stored, such as those of an index, can be found after a rotation.
   */
  readonly keyVersion?: number | undefined;
}

/** What {@link KmsOperations.verifyMac} takes. */
export interface VerifyMacInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** The message itself. */
  readonly data: Uint8Array;
  readonly mac: Uint8Array;
  /**
   * Only this version; if absent, the newest 32 that may still verify. If none of them accepts and the key has
   * older ones, the answer is `BAD_REQUEST`, which asks for the version.
   */
  readonly keyVersion?: number | undefined;
}

/** What {@link KmsOperations.wrap} takes. */
export interface WrapInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** The key to wrap. */
  readonly dataKey: Uint8Array;
  /**
   * Authenticated with the wrapped key: unwrapping requires the same value. Not secret. Zero bytes are the same as
   * none.
   */
  readonly associatedData?: Uint8Array | undefined;
}

/** What {@link KmsOperations.unwrap} takes. */
export interface UnwrapInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** What `wrap` or `data-key` returned; it names its key and version itself. */
  readonly wrappedKey: Uint8Array;
  /**
   * Authenticated with the wrapped key: unwrapping requires the same value. Not secret. Zero bytes are the same as
   * none.
   */
  readonly associatedData?: Uint8Array | undefined;
  /** The `provider` of the wrapped key. It has no effect: the wrapped key itself says what opens it. */
  readonly providerHint?: string | undefined;
}

/** What {@link KmsOperations.createDataKey} takes. */
export interface CreateDataKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** The length of the data key in bytes (default: 32). */
  readonly bytes?: number | undefined;
  /**
   * Authenticated with the wrapped key: unwrapping requires the same value. Not secret. Zero bytes are the same as
   * none.
   */
  readonly associatedData?: Uint8Array | undefined;
  /** Whether the answer holds the data key itself in addition to the wrapped one (default: true). */
  readonly withPlaintext?: boolean | undefined;
}

/** What {@link KmsOperations.encapsulate} takes. */
export interface EncapsulateInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
}

/** What {@link KmsOperations.decapsulate} takes. */
export interface DecapsulateInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** The encapsulated shared secret. */
  readonly ciphertext: Uint8Array;
  /** The version of the key (default: the current one). */
  readonly keyVersion?: number | undefined;
}

/** What {@link KmsOperations.derive} takes. */
export interface DeriveInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The key; if the path names it too, it must be the same. */
  readonly keyId: string;
  /** SubjectPublicKeyInfo in DER, on the curve of the key. */
  readonly peerPublicKey: Uint8Array;
  /** What the derived key is for, and between which parties. */
  readonly info?: Uint8Array | undefined;
  readonly salt?: Uint8Array | undefined;
  /** The length of the derived key in bytes (default: 32). */
  readonly length?: number | undefined;
  /** The version of the key (default: the current one). */
  readonly keyVersion?: number | undefined;
}

/** What {@link KmsOperations.getImportParameters} takes. */
export interface GetImportParametersInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** Default: `RSA_AES_KEY_WRAP_SHA_256`. */
  readonly wrappingAlgorithm?: 'RSA_AES_KEY_WRAP_SHA_256' | 'ML_KEM_768_AES_KWP' | undefined;
}

/** What {@link KmsOperations.importKey} takes. */
export interface ImportKeyInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The platform id, the name in the standard or a usual spelling, in upper or lower case. */
  readonly algorithm: AlgorithmName;
  /** An imported key to give a new version; if absent, the import creates a new key. */
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
  /** Only `software`: key material that existed outside an HSM cannot be imported into one. */
  readonly protectionLevel?: 'software' | 'hsm' | undefined;
  /** A human-readable name; it need not be unique. */
  readonly name?: string | undefined;
  /**
   * What the key is for. If absent or empty, the purpose is that of the algorithm. A purpose that the algorithm
   * cannot serve becomes that of the algorithm, and the answer says so in `warnings`.
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
   * Facts about the key for people and programs, never a secret: any JSON, which is returned as it was sent. At
   * most 16 KiB, 8 levels, 64 members in each object, 128 characters in each name and 1024 in each text. Whole
   * numbers are at most 9007199254740991 in absolute value; send larger ones as text.
   */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Requires the permission `kms:keys:policy`. */
  readonly policy?: KeyPolicy | undefined;
  /** Also accepts a policy that keeps its writer from changing it again, which is otherwise refused. */
  readonly allowLockout?: boolean | undefined;
  /** The key that protects this one in the tenant's own hierarchy; revocation with `cascade` follows it. */
  readonly parentKeyId?: string | undefined;
  /**
   * For how many days after its last use the key is destroyed only by who acknowledges that use; `null` and 0 are
   * no guard beside that of the tenant or the deployment.
   */
  readonly destroyGuardDays?: number | null | undefined;
  /**
   * How many others have to approve before the key is destroyed or shredded, or its policy is changed; `null` and
   * 0 are nobody beside what the tenant or the deployment asks for. To lower it takes as many approvals.
   */
  readonly requireApproval?: number | null | undefined;
}

/** What {@link KmsOperations.getRandom} takes. */
export interface GetRandomInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly bytes?: number | undefined;
}

/** What {@link KmsOperations.listRotationSchedules} takes. */
export interface ListRotationSchedulesInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
}

/** What {@link KmsOperations.listUpcomingRotations} takes. */
export interface ListUpcomingRotationsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** Only rotations that are due within this many days. */
  readonly withinDays?: number | undefined;
}

/** What {@link KmsOperations.createToken} takes. */
export interface CreateTokenInput {
  /** The tenant of the call; it must be that of the credential. */
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
        | 'kms:keys:migrate'
        | 'kms:random'
        | 'kms:tokens:manage'
        | 'kms:identity-bindings:manage'
        | 'kms:approvals:read'
        | 'kms:approvals:decide'
        | 'kms:audit:read'
        | 'kms:tenants:read'
        | 'kms:tenants:rotate'
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
  /** In the future, and no later than that of the credential; default: that of the credential. */
  readonly expiresAt?: string | Date | undefined;
  /** What it is for. */
  readonly purpose?: string | undefined;
  /** The only keys that it is for: then it can do nothing else, but create tokens for these keys. */
  readonly keys?: readonly string[] | undefined;
  /** The only addresses, and CIDR blocks of them, that it is taken from. */
  readonly addresses?: readonly string[] | undefined;
  /** How many units of cost it may take in a second. */
  readonly rate?: number | undefined;
  /** Whether requests can be signed with it (AWS Signature Version 4); default: `false`. */
  readonly awsCredentials?: boolean | undefined;
}

/** What {@link KmsOperations.listTokens} takes. */
export interface ListTokensInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** What {@link KmsOperations.getOwnToken} takes. */
export interface GetOwnTokenInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
}

/** What {@link KmsOperations.getToken} takes. */
export interface GetTokenInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly tokenId: string;
}

/** What {@link KmsOperations.rotateToken} takes. */
export interface RotateTokenInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** For how long the old token is still taken; default: an hour. */
  readonly overlapSeconds?: number | undefined;
  readonly tokenId: string;
}

/** What {@link KmsOperations.revokeToken} takes. */
export interface RevokeTokenInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** Whether to revoke its lineage with it; default: `false`. */
  readonly cascade?: boolean | undefined;
  readonly tokenId: string;
}

/** What {@link KmsOperations.createIdentityBinding} takes. */
export interface CreateIdentityBindingInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** As it stands in the claim `iss`. */
  readonly issuer: string;
  /**
   * Claims by their names; all of them have to match, and at least one, other than `iss` and `aud`, by more than
   * `*`. Of a claim that is a list one item has to match. A claim inside of another one is named by a JSON
   * pointer, such as `/kubernetes.io/namespace`.
   */
  readonly match: Readonly<Record<string, string>>;
  /**
   * What the client certificate of the connection has to be besides: claims `san.uri`, `san.dns`, `san.email`,
   * `subject.cn` and `fingerprint`, as in `match`. Default: none is demanded. Where the service asks clients for
   * no certificates, such a binding lets nobody in. Not for the issuer `mtls`.
   */
  readonly certificate?: Readonly<Record<string, string>> | undefined;
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
        | 'kms:keys:migrate'
        | 'kms:random'
        | 'kms:tokens:manage'
        | 'kms:identity-bindings:manage'
        | 'kms:approvals:read'
        | 'kms:approvals:decide'
        | 'kms:audit:read'
        | 'kms:tenants:read'
        | 'kms:tenants:rotate'
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
  /** The only keys that it is for (default: every key of the tenant). */
  readonly keys?: readonly string[] | undefined;
  /** In the future, and not after the credential that makes it expires (default: when that does). */
  readonly expiresAt?: string | Date | undefined;
}

/** What {@link KmsOperations.listIdentityBindings} takes. */
export interface ListIdentityBindingsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** What {@link KmsOperations.denyIdentity} takes. */
export interface DenyIdentityInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** As it stands in the claim `iss`. */
  readonly issuer: string;
  /** The subject; either this or `jti`. */
  readonly sub?: string | undefined;
  /** The id of one JWT. */
  readonly jti?: string | undefined;
  /**
   * JWTs issued before this are refused (default: now). Up to five minutes ahead, for an issuer whose clock is:
   * whatever it issues until then is refused too.
   */
  readonly before?: string | Date | undefined;
}

/** What {@link KmsOperations.listIdentityDenials} takes. */
export interface ListIdentityDenialsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** What {@link KmsOperations.liftIdentityDenial} takes. */
export interface LiftIdentityDenialInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly denialId: string;
}

/** What {@link KmsOperations.getIdentityBinding} takes. */
export interface GetIdentityBindingInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly bindingId: string;
}

/** What {@link KmsOperations.deleteIdentityBinding} takes. */
export interface DeleteIdentityBindingInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly bindingId: string;
}

/** What {@link KmsOperations.createTenant} takes. */
export interface CreateTenantInput {
  /** The id of the new tenant (default: a new one). */
  readonly tenantId?: string | undefined;
  readonly name: string;
}

/** What {@link KmsOperations.listTenants} takes. */
export interface ListTenantsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** What {@link KmsOperations.getTenant} takes. */
export interface GetTenantInput {
  readonly tenantId: string;
}

/** What {@link KmsOperations.rotateMasterKey} takes. */
export interface RotateMasterKeyInput {
  readonly tenantId: string;
}

/** What {@link KmsOperations.updateTenant} takes. */
export interface UpdateTenantInput {
  readonly tenantId: string;
  readonly limits?:
    | {
        /** `null`: as for all tenants. */
        readonly rate?:
          | {
              /** How many units of cost it may take in a second; 0 is no limit. */
              readonly unitsPerSecond: number;
              /** How many at once after a pause (default: as many as in a second). */
              readonly burst?: number | undefined;
            }
          | null
          | undefined;
        /** 0 is any number; `null`: as for all tenants. */
        readonly keys?: number | null | undefined;
        /** 0 is any number; `null`: as for all tenants. */
        readonly keyVersions?: number | null | undefined;
        /** 0 is any number; `null`: as for all tenants. */
        readonly tokens?: number | null | undefined;
        /** 0 is any number; `null`: as for all tenants. */
        readonly identityBindings?: number | null | undefined;
        /** 0 is any number; `null`: as for all tenants. */
        readonly operationsPerMonth?: number | null | undefined;
        /** 0 is any number; `null`: as for all tenants. */
        readonly keptAnswers?: number | null | undefined;
        /** In days; 0 is no guard, `null`: as for all tenants. */
        readonly destroyGuardDays?: number | null | undefined;
        /** How many; 0 is nobody, `null`: as for all tenants. To lower it takes as many approvals. */
        readonly requireApproval?: number | null | undefined;
      }
    | undefined;
}

/** What {@link KmsOperations.getTenantUsage} takes. */
export interface GetTenantUsageInput {
  readonly tenantId: string;
}

/** What {@link KmsOperations.shredTenant} takes. */
export interface ShredTenantInput {
  readonly tenantId: string;
  /** `SHRED-` and the id of the tenant. */
  readonly confirmation: string;
  /** The reason, for the audit trail. */
  readonly reason: string;
}

/** What {@link KmsOperations.exportInventory} takes. */
export interface ExportInventoryInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
}

/** What {@link KmsOperations.getInventory} takes. */
export interface GetInventoryInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** What {@link KmsOperations.listApprovals} takes. */
export interface ListApprovalsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
  readonly state?: 'pending' | 'executed' | 'refused' | 'withdrawn' | undefined;
}

/** What {@link KmsOperations.getApproval} takes. */
export interface GetApprovalInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly approvalId: string;
}

/** What {@link KmsOperations.decideApproval} takes. */
export interface DecideApprovalInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly decision: 'approve' | 'refuse' | 'withdraw';
  readonly approvalId: string;
}

/** What {@link KmsOperations.listAuditEvents} takes. */
export interface ListAuditEventsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
  readonly keyId?: string | undefined;
  readonly eventType?:
    | 'kms.key.updated'
    | 'kms.key.rotated'
    | 'kms.key.upgraded'
    | 'kms.key.versions-retired'
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
    | 'kms.migration.started'
    | 'kms.migration.planned'
    | 'kms.migration.read'
    | 'kms.migration.listed'
    | 'kms.migration.cancelled'
    | 'kms.migration.completed'
    | 'kms.random'
    | 'kms.token.created'
    | 'kms.token.read'
    | 'kms.token.rotated'
    | 'kms.token.revoked'
    | 'kms.token.listed'
    | 'kms.token.removed'
    | 'kms.identity-binding.created'
    | 'kms.identity-binding.listed'
    | 'kms.identity-binding.read'
    | 'kms.identity-binding.deleted'
    | 'kms.identity.denied'
    | 'kms.identity-denial.listed'
    | 'kms.identity-denial.lifted'
    | 'kms.tenant.created'
    | 'kms.tenant.updated'
    | 'kms.tenant.shredded'
    | 'kms.tenant.listed'
    | 'kms.tenant.read'
    | 'kms.tenant.master-key-rotated'
    | 'kms.tenant.master-key-destroyed'
    | 'kms.approval.requested'
    | 'kms.approval.approved'
    | 'kms.approval.refused'
    | 'kms.approval.withdrawn'
    | 'kms.approval.executed'
    | 'kms.approval.listed'
    | 'kms.approval.read'
    | 'kms.audit.read'
    | 'kms.audit.enabled'
    | 'kms.audit.disabled'
    | 'kms.fips.entered'
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
  /** The id of the actor. */
  readonly actor?: string | undefined;
  readonly result?: 'success' | 'denied' | 'failure' | undefined;
  /** Only events at or after this time. */
  readonly from?: string | Date | undefined;
  /** Only events before this time. */
  readonly to?: string | Date | undefined;
}

/** What {@link KmsOperations.getAuditProof} takes. */
export interface GetAuditProofInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly eventId: string;
}

/** What {@link KmsOperations.listAuditCheckpoints} takes. */
export interface ListAuditCheckpointsInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  /** The maximum number of items, from 1 to 200; a number outside that range counts as the nearer bound. */
  readonly limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
}

/** What {@link KmsOperations.exportAudit} takes. */
export interface ExportAuditInput {
  /** The tenant of the call; it must be that of the credential. */
  readonly tenantId?: string | undefined;
  readonly format?: 'jsonl' | 'cef' | undefined;
  readonly after?: number | undefined;
  readonly batches?: number | undefined;
}

/** What {@link KmsOperations.getHealth} takes. */
export type GetHealthInput = Readonly<Record<string, never>>;

/** What {@link KmsOperations.getLiveness} takes. */
export type GetLivenessInput = Readonly<Record<string, never>>;

/** What {@link KmsOperations.getReadiness} takes. */
export type GetReadinessInput = Readonly<Record<string, never>>;

/** What {@link KmsOperations.getMetrics} takes. */
export type GetMetricsInput = Readonly<Record<string, never>>;

/** What {@link KmsOperations.getOpenApi} takes. */
export type GetOpenApiInput = Readonly<Record<string, never>>;

/** What {@link KmsOperations.activateSdk} takes. */
export interface ActivateSdkInput {
  readonly sdkId?: string | undefined;
  readonly sdkVersion?: string | undefined;
  readonly runtime?: string | undefined;
}

/** Every operation of the service. */
export interface KmsOperations {
  /**
   * Create a key. Every field is optional: without `algorithm` the key gets the default algorithm of the
   * deployment. `label` is a synonym of `name`.
   */
  createKey(input?: CreateKeyInput, options?: CallOptions): Promise<Key>;

  /** List keys. Newest first. Filters that are given must all hold. */
  listKeys(input?: ListKeysInput, options?: CallOptions): Promise<KeyPage>;

  /** Count keys and operations. */
  getKeyStats(input?: GetKeyStatsInput, options?: CallOptions): Promise<KeyStatistics>;

  /** Read a key. */
  getKey(input: GetKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Change name, metadata, rotation or limits. Only the fields that are sent change; `metadata` is replaced as a
   * whole, while of `rotation` and `usageLimits` only the fields in them change. `null` removes a name, a period
   * or a limit. `label` is a synonym of `name`.
   */
  updateKey(input: UpdateKeyInput, options?: CallOptions): Promise<Key>;

  /** Show which versions of a key are used. To the hour. What was used in the last seconds may be missing. */
  getKeyUsage(input: GetKeyUsageInput, options?: CallOptions): Promise<KeyUsage>;

  /** Read the public key. Readable whatever the state of the key. For a secret key the answer is `BAD_REQUEST`. */
  getPublicKey(input: GetPublicKeyInput, options?: CallOptions): Promise<PublicKey>;

  /**
   * Create a new version. Earlier versions become `decrypt-only`: they still decrypt, verify and unwrap. Imported
   * keys are rotated by another import.
   */
  rotateKey(input: RotateKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Create a new version under the post-quantum default. Signing keys go to ML-DSA-65, public-key encryption to
   * ML-KEM-768, symmetric encryption to AES-256-GCM. Older versions continue as after a rotation.
   */
  upgradeKey(input: UpgradeKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Retire versions that nobody uses. Deactivates, permanently, the versions that were superseded at least so many
   * days ago. All of them, or none: `KEY_STATE_INVALID` while one of them was used in this time, with the times in
   * `details`.
   */
  retireVersions(input: RetireVersionsInput, options?: CallOptions): Promise<Key>;

  /** Suspend a key. It only decrypts, verifies and unwraps until it is resumed. */
  suspendKey(input: SuspendKeyInput, options?: CallOptions): Promise<Key>;

  /** Resume a suspended key. */
  resumeKey(input: ResumeKeyInput, options?: CallOptions): Promise<Key>;

  /** Revoke a key permanently. Every operation with the key fails at once. This cannot be undone. */
  revokeKey(input: RevokeKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Schedule the destruction of a key. The key is deactivated now and destroyed after the waiting period, within
   * which it can be restored.
   */
  destroyKey(input: DestroyKeyInput, options?: CallOptions): Promise<Key>;

  /** Cancel a scheduled destruction. The key returns to its previous state. Possible until the waiting period ends. */
  restoreKey(input: RestoreKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Destroy a key now. The material of every version is destroyed immediately and irrevocably. The record of the
   * key stays for audit.
   */
  shredKey(input: ShredKeyInput, options?: CallOptions): Promise<Key>;

  /**
   * Move keys to another algorithm. In the background: each key gets a new version under its new algorithm, and
   * its versions before that still read what they protected. Needs `kms:keys:rotate` as well. One migration of a
   * tenant runs at a time: `CONFLICT` while another does. With `dryRun` nothing is changed, and `plan` has a page
   * of what would be done with which key.
   */
  createMigration(input: CreateMigrationInput, options?: CallOptions): Promise<CreatedMigration>;

  /** List the migrations of the tenant. Newest first: the one that is running, and the last 100 that have ended. */
  listMigrations(input?: ListMigrationsInput, options?: CallOptions): Promise<MigrationPage>;

  /** Show a migration and how far it has got. */
  getMigration(input: GetMigrationInput, options?: CallOptions): Promise<Migration>;

  /**
   * Cancel a migration. No further key is changed; those that were stay as they are. One that has ended is
   * answered as it is.
   */
  cancelMigration(input: CancelMigrationInput, options?: CallOptions): Promise<Migration>;

  /**
   * Read the policy of a key. For a key without a policy, the answer is one without statements, which means the
   * same.
   */
  getKeyPolicy(input: GetKeyPolicyInput, options?: CallOptions): Promise<KeyPolicy>;

  /**
   * Replace the policy of a key. Nobody can grant what they do not hold. A policy that keeps its own writer from
   * changing it again is refused, unless `allowLockout` says that this is intended. The answer is the key.
   */
  putKeyPolicy(input: PutKeyPolicyInput, options?: CallOptions): Promise<Key>;

  /**
   * Remove the policy of a key. The permissions of the credential decide again. No policy can keep the
   * administrators of the tenant from doing this. The answer is the key.
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

  /** Verify a signature. A signature that does not match is not an error: the answer says `valid: false`. */
  verify(input: VerifyInput, options?: CallOptions): Promise<VerifyAnswer>;

  /** Compute a message authentication code. Under the current version of the key, or under the one that is named. */
  mac(input: MacInput, options?: CallOptions): Promise<MacAnswer>;

  /**
   * Verify a message authentication code. A code that does not match is not an error: the answer says `valid:
   * false`.
   */
  verifyMac(input: VerifyMacInput, options?: CallOptions): Promise<VerifyAnswer>;

  /** Wrap a key. Under the current version of the key. */
  wrap(input: WrapInput, options?: CallOptions): Promise<WrapAnswer>;

  /**
   * Unwrap a key. Whatever is wrong with the wrapped key or the associated data, the error is the same
   * `DECRYPT_FAILED`.
   */
  unwrap(input: UnwrapInput, options?: CallOptions): Promise<UnwrapAnswer>;

  /**
   * Create a data key. A fresh key, wrapped under the current version of the key; `unwrap` opens it. Encrypt with
   * it locally, then discard it and keep the wrapped one.
   */
  createDataKey(input: CreateDataKeyInput, options?: CallOptions): Promise<DataKeyAnswer>;

  /**
   * Encapsulate a shared secret. To the current version of the KEM key. Keep `keyVersion` with the ciphertext,
   * which does not name it.
   */
  encapsulate(input: EncapsulateInput, options?: CallOptions): Promise<EncapsulateAnswer>;

  /**
   * Decapsulate a shared secret. A ciphertext that was tampered with yields another secret, not an error (FIPS
   * 203, implicit rejection): confirm the secret before use.
   */
  decapsulate(input: DecapsulateInput, options?: CallOptions): Promise<DecapsulateAnswer>;

  /**
   * Derive a key by key agreement. Key agreement with the public key of a peer, then HKDF-SHA-256 (RFC 5869); the
   * raw shared secret never leaves the service.
   */
  derive(input: DeriveInput, options?: CallOptions): Promise<DeriveAnswer>;

  /**
   * Get a public key to wrap key material with. A fresh wrapping key and the token to send with the material
   * wrapped under it, both valid until `expiresAt`.
   */
  getImportParameters(input?: GetImportParametersInput, options?: CallOptions): Promise<ImportParameters>;

  /**
   * Import key material. Creates a key from imported material, or with `keyId` a new version of an imported key.
   * Imported keys can be rotated only by another import. `label` is a synonym of `name`.
   */
  importKey(input: ImportKeyInput, options?: CallOptions): Promise<Key>;

  /** Get random bytes. From the HSM where one is configured, mixed with the generator of the operating system. */
  getRandom(input?: GetRandomInput, options?: CallOptions): Promise<RandomBytes>;

  /** List the keys that rotate automatically. Next due first. */
  listRotationSchedules(
    input?: ListRotationSchedulesInput,
    options?: CallOptions,
  ): Promise<ListRotationSchedulesAnswer>;

  /** List the rotations that are due soon. Next due first. */
  listUpcomingRotations(
    input?: ListUpcomingRotationsInput,
    options?: CallOptions,
  ): Promise<ListUpcomingRotationsAnswer>;

  /**
   * Create an API token. This answer is the only one that ever shows the token: the same call repeated with its
   * `Idempotency-Key` is a `CONFLICT` that names the token in `details.tokenId`. It can have no permission that
   * its creator does not have, and is limited to keys, addresses, a rate and a time at least as much: a limit that
   * is absent is that of the creator.
   */
  createToken(input: CreateTokenInput, options?: CallOptions): Promise<CreatedApiToken>;

  /** List the API tokens of the tenant. Newest first. */
  listTokens(input?: ListTokensInput, options?: CallOptions): Promise<ApiTokenPage>;

  /**
   * Show the API token that makes the call. It needs no permission. `NOT_FOUND` for another kind of credential,
   * and for one of the platform.
   */
  getOwnToken(input?: GetOwnTokenInput, options?: CallOptions): Promise<ApiToken>;

  /** Show an API token. What is known of it, without the token itself. */
  getToken(input: GetTokenInput, options?: CallOptions): Promise<ApiToken>;

  /**
   * Replace an API token by one with another secret. The new token has the same permissions, limits and expiry,
   * and counts as the same caller in policies and evidence; the old one is taken for a while yet, and creates
   * nothing meanwhile that lasts longer. A token may rotate itself without a permission. With it, and within what
   * it holds itself, it may rotate what it created, level by level; a credential of the platform or of an issuer
   * may rotate any of the tenant. `FORBIDDEN` for others. This answer is the only one that ever shows the new
   * token. `CONFLICT` for a token that has ended or was rotated already, and for a repeated call.
   */
  rotateToken(input: RotateTokenInput, options?: CallOptions): Promise<CreatedApiToken>;

  /**
   * Revoke an API token. It stops working immediately and permanently. With `cascade` so does its lineage, all at
   * once: what it replaced and was replaced by, and every token that any of them created, level by level.
   * `NOT_FOUND` if the tenant never had a token with this id.
   */
  revokeToken(input: RevokeTokenInput, options?: CallOptions): Promise<RevokedApiToken>;

  /**
   * Let workloads call with the identity that they have. Those who present a JWT of the issuer, which the operator
   * has to trust, with claims that match may do for the tenant what the binding says. A value that ends in `*`
   * matches every one that begins so. Of several bindings of the tenant that match, each counts. A binding can
   * give no permission that its creator does not have.
   */
  createIdentityBinding(input: CreateIdentityBindingInput, options?: CallOptions): Promise<IdentityBinding>;

  /** List the identity bindings of the tenant. Newest first. */
  listIdentityBindings(input?: ListIdentityBindingsInput, options?: CallOptions): Promise<IdentityBindingPage>;

  /**
   * Let nobody in by credentials that were issued before. JWTs of the issuer for this subject, or the one with
   * this id, that were issued before a time are refused immediately for this tenant, whatever its bindings say,
   * unless the denial is lifted. Those who get new ones are let in with them: to keep somebody out, delete the
   * binding.
   */
  denyIdentity(input: DenyIdentityInput, options?: CallOptions): Promise<IdentityDenial>;

  /**
   * List the denials of the tenant. Newest first, those that were lifted too, until all that they refuse has
   * expired.
   */
  listIdentityDenials(input?: ListIdentityDenialsInput, options?: CallOptions): Promise<IdentityDenialPage>;

  /**
   * Lift a denial. What the denial refused is let in by bindings again, immediately, unless another denial refuses
   * it too. `FORBIDDEN` when a binding of the issuer gives more than the caller has. Repeating it changes nothing.
   */
  liftIdentityDenial(input: LiftIdentityDenialInput, options?: CallOptions): Promise<IdentityDenial>;

  /** Get an identity binding. */
  getIdentityBinding(input: GetIdentityBindingInput, options?: CallOptions): Promise<IdentityBinding>;

  /**
   * Delete an identity binding. Nobody is let in by it any more, immediately and permanently. `NOT_FOUND` if there
   * is no binding with this id.
   */
  deleteIdentityBinding(input: DeleteIdentityBindingInput, options?: CallOptions): Promise<DeletedIdentityBinding>;

  /**
   * Create a tenant. Creates the tenant and its master key. For platform credentials, which need not name a tenant
   * here.
   */
  createTenant(input: CreateTenantInput, options?: CallOptions): Promise<Tenant>;

  /** List the tenants. Oldest first. */
  listTenants(input?: ListTenantsInput, options?: CallOptions): Promise<TenantPage>;

  /** Show the tenant and its master key. */
  getTenant(input: GetTenantInput, options?: CallOptions): Promise<TenantDetails>;

  /**
   * Rotate the master key of the tenant. Everything new is sealed under the new version at once. The rest is
   * sealed again in the background, after which the earlier version is destroyed; until then both open what is
   * under them, and `masterKey` says how far that has got.
   */
  rotateMasterKey(input: RotateMasterKeyInput, options?: CallOptions): Promise<TenantDetails>;

  /**
   * Change the limits of a tenant. For platform credentials. What is left out stays as it is. Every node keeps to
   * it within a second.
   */
  updateTenant(input: UpdateTenantInput, options?: CallOptions): Promise<Tenant>;

  /** What the tenant uses of its limits. A `maximum` of `null` is any number. */
  getTenantUsage(input: GetTenantUsageInput, options?: CallOptions): Promise<TenantUsage>;

  /**
   * Destroy a tenant’s master key and with it every key. Immediately and irrevocably. The records of the keys stay
   * for audit; nothing encrypted under them can be read again.
   */
  shredTenant(input: ShredTenantInput, options?: CallOptions): Promise<Tenant>;

  /**
   * Export the cryptographic inventory as CycloneDX 1.6. A cryptographic bill of materials of all keys, of the
   * algorithms that they use and of the protocols of the deployment, as one stream of any length. A request for
   * `/inventory` that accepts `application/vnd.cyclonedx+json` gets the same. An answer that breaks off is
   * incomplete: it does not end as JSON.
   */
  exportInventory(input?: ExportInventoryInput, options?: CallOptions): Promise<string>;

  /**
   * Read the cryptographic inventory. Every key and version with its algorithm, what that is worth, where it is
   * kept and how it is rotated. For a tenant its keys, newest first; for a platform credential that names no
   * tenant those of all tenants, oldest tenants first.
   */
  getInventory(input?: GetInventoryInput, options?: CallOptions): Promise<InventoryPage>;

  /**
   * List what waits for approvals, and what became of it. Newest first. Requests are kept for 90 days after their
   * time is over.
   */
  listApprovals(input?: ListApprovalsInput, options?: CallOptions): Promise<ApprovalPage>;

  /** Show a request for approvals. Who made it needs no permission for it. */
  getApproval(input: GetApprovalInput, options?: CallOptions): Promise<Approval>;

  /**
   * Approve, refuse or withdraw a request. Nobody approves their own request, or approves twice; tokens that
   * descend from one another, or from one token of the tenant, are one caller. One refusal ends a request. Only
   * who made it withdraws it.
   */
  decideApproval(input: DecideApprovalInput, options?: CallOptions): Promise<Approval>;

  /**
   * List the evidence of the tenant. Newest first. An event appears when it is sealed, a moment after its
   * operation was answered. `NOT_FOUND` if the deployment keeps no evidence.
   */
  listAuditEvents(input?: ListAuditEventsInput, options?: CallOptions): Promise<AuditEventList>;

  /**
   * Prove that an event is in the signed evidence. An audit path of RFC 6962 with SHA3-256, from the hash of the
   * event to the root of its checkpoint.
   */
  getAuditProof(input: GetAuditProofInput, options?: CallOptions): Promise<InclusionProof>;

  /**
   * List the signed checkpoints of the evidence. Newest first. Keep one apart from the evidence: it shows later
   * that no end was cut off.
   */
  listAuditCheckpoints(input?: ListAuditCheckpointsInput, options?: CallOptions): Promise<CheckpointList>;

  /**
   * Export evidence. Whole batches after a place in the chain, oldest first. `jsonl` can be verified offline: a
   * line for each event, and after the events of a batch a line with its checkpoint. `cef` is the Common Event
   * Format, for a SIEM. The next page starts after the last sequence of this one; an empty page is the end.
   */
  exportAudit(input?: ExportAuditInput, options?: CallOptions): Promise<string>;

  /** The health of the service. `degraded` still serves; `critical` does not, and has the status 503. */
  getHealth(input?: GetHealthInput, options?: CallOptions): Promise<Health>;

  /**
   * Whether the process is alive. Says nothing about what the service depends on: a process that waits for its
   * store is alive. `checks` is empty.
   */
  getLiveness(input?: GetLivenessInput, options?: CallOptions): Promise<Health>;

  /** Whether the service wants traffic. The status is 503 if it does not. */
  getReadiness(input?: GetReadinessInput, options?: CallOptions): Promise<Health>;

  /** Metrics in the Prometheus text format. */
  getMetrics(input?: GetMetricsInput, options?: CallOptions): Promise<string>;

  /** This document. */
  getOpenApi(input?: GetOpenApiInput, options?: CallOptions): Promise<GetOpenApiAnswer>;

  /**
   * The handshake of published clients. Clients that hold an API token call this first. It grants nothing that the
   * token does not already have. Errors have their own shape. Unknown fields are ignored here, unlike anywhere
   * else: older and newer clients send more.
   */
  activateSdk(input?: ActivateSdkInput, options?: CallOptions): Promise<Activation>;
}
