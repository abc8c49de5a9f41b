import type { KmsErrorCode } from '../errors/kms-error.ts';
import { CRYPTO_OPERATIONS, type CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { TenantId } from './identifiers.ts';

/** What was tried and not allowed, whatever it was. */
export const ACCESS_DENIED = 'kms.access.denied';

const EVENT_TYPES = [
  'kms.key.updated',
  'kms.key.rotated',
  'kms.key.upgraded',
  'kms.key.versions-retired',
  'kms.key.suspended',
  'kms.key.resumed',
  'kms.key.revoked',
  'kms.key.destruction-scheduled',
  'kms.key.restored',
  'kms.key.condemned',
  'kms.key.destroyed',
  'kms.key.shredded',
  'kms.key.created',
  'kms.key.imported',
  'kms.key.import-parameters',
  'kms.key.read',
  'kms.key.listed',
  'kms.migration.started',
  'kms.migration.planned',
  'kms.migration.read',
  'kms.migration.listed',
  'kms.migration.cancelled',
  'kms.migration.completed',
  'kms.random',
  'kms.token.created',
  'kms.token.read',
  'kms.token.rotated',
  'kms.token.revoked',
  'kms.token.listed',
  'kms.token.removed',
  'kms.identity-binding.created',
  'kms.identity-binding.listed',
  'kms.identity-binding.read',
  'kms.identity-binding.deleted',
  'kms.identity.denied',
  'kms.identity-denial.listed',
  'kms.identity-denial.lifted',
  'kms.tenant.created',
  'kms.tenant.updated',
  'kms.tenant.shredded',
  'kms.tenant.listed',
  'kms.tenant.read',
  'kms.tenant.master-key-rotated',
  'kms.tenant.master-key-destroyed',
  'kms.approval.requested',
  'kms.approval.approved',
  'kms.approval.refused',
  'kms.approval.withdrawn',
  'kms.approval.executed',
  'kms.approval.listed',
  'kms.approval.read',
  'kms.audit.read',
  'kms.audit.enabled',
  'kms.audit.disabled',
  'kms.fips.entered',
  'kms.sdk.activated',
  ACCESS_DENIED,
] as const;

/** What an event is about: the operation that was tried, or `kms.access.denied` when it was not allowed. `catalog.ts` says whose is which. */
export type AuditEventType = (typeof EVENT_TYPES)[number] | `kms.${CryptoOperation}`;

/** Every event type there is. */
export const AUDIT_EVENT_TYPES: readonly AuditEventType[] = [
  ...EVENT_TYPES,
  ...CRYPTO_OPERATIONS.map((operation) => `kms.${operation}` as const),
];

export const ACTOR_TYPES = ['user', 'service', 'system', 'workload'] as const;
/** Who did it. */
export interface AuditActor {
  readonly type: (typeof ACTOR_TYPES)[number];
  /** The id of an API token, an issuer with `#` and whom it names, or the name of a part of the service. */
  readonly id: string;
}

/** What operations are about. */
export const RESOURCE_TYPES = ['key', 'token', 'identity', 'tenant', 'service', 'approval'] as const;
/** What it was done to. */
export interface AuditResource {
  readonly type: (typeof RESOURCE_TYPES)[number];
  /** `null` where the operation names none, as a list does. */
  readonly id: string | null;
  /** The version of a key. */
  readonly version: number | null;
}

/** How what was tried ended: it was done, it was not allowed, or it failed. */
export const AUDIT_RESULTS = ['success', 'denied', 'failure'] as const;
/** One of {@link AUDIT_RESULTS}. */
export type AuditResult = (typeof AUDIT_RESULTS)[number];

/** What can be wrong with a credential that is known: it ended, its tenant does not want it, or it is for somebody or sometime else. */
export const REFUSAL_REASONS = [
  'revoked',
  'expired',
  'denied',
  'binding-expired',
  'binding-removed',
  'audience',
  'not-yet-valid',
  'lifetime',
  'certificate',
] as const;
/** One of {@link REFUSAL_REASONS}. */
export type RefusedFor = (typeof REFUSAL_REASONS)[number];

/** Where a call came from. */
export interface AuditContext {
  readonly requestId: string | null;
  readonly userAgent: string | null;
  /** The part of the service that took the call: `api`, or `service` for what it does without a caller. */
  readonly source: string;
  readonly ip: string | null;
}

/** The facts of a record that a change touched, by name. Values are JSON. */
export type AuditFacts = Readonly<Record<string, AuditFact>>;
/** One fact of an event, as JSON. */
export type AuditFact = string | number | boolean | null | readonly string[];

/**
 * One thing that was tried, and how it ended. Holds no plaintext, ciphertext, credential, value of an encryption context
 * or metadata, and no input that was not understood. Every value is JSON.
 */
export interface AuditEvent {
  readonly eventId: string;
  readonly eventType: AuditEventType;
  /** RFC 3339 in UTC, to the millisecond: when the operation ended. */
  readonly timestamp: string;
  readonly tenantId: TenantId;
  readonly actor: AuditActor;
  readonly resource: AuditResource;
  /** The id of the operation in the catalogue (`operations/catalog.ts`), by whichever wire it was asked for. */
  readonly action: string;
  readonly result: AuditResult;
  /** Why it did not succeed. */
  readonly errorCode?: KmsErrorCode;
  readonly context: AuditContext;
  /** What is wrong with the credential, where it is known whose it is and nobody is let in by it. */
  readonly refusedFor?: RefusedFor;
  /**
   * How many refusals of known credentials of the tenant the node left out since the last one of which it left an event: whosever they
   * were, and for whatever. Absent where it left out none.
   */
  readonly refusedBefore?: number;
  /** Only the names of the encryption context. */
  readonly request: { readonly contextKeys: readonly string[] };
  /**
   * The id that this event had when it waited in a database of which a copy was restored. It may be in the epoch before under that
   * one, if it was sealed there.
   */
  readonly repeats?: string;
  readonly changes?: { readonly before: AuditFacts | null; readonly after: AuditFacts | null };
}
