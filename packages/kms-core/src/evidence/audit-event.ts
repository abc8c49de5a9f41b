import type { KmsErrorCode } from '../errors/kms-error.ts';
import { CRYPTO_OPERATIONS, type CryptoOperation } from '../lifecycle/operations.ts';
import type { KeyEvent } from '../lifecycle/transitions.ts';
import type { TenantId } from '../model/identifiers.ts';

/** The event type of each change of a key. */
export const KEY_EVENT_TYPES = {
  update: 'kms.key.updated',
  rotate: 'kms.key.rotated',
  upgrade: 'kms.key.upgraded',
  suspend: 'kms.key.suspended',
  resume: 'kms.key.resumed',
  revoke: 'kms.key.revoked',
  destroy: 'kms.key.destruction-scheduled',
  restore: 'kms.key.restored',
  condemn: 'kms.key.condemned',
  purge: 'kms.key.destroyed',
  shred: 'kms.key.shredded',
} as const satisfies Readonly<Record<KeyEvent, string>>;

const OTHER_EVENT_TYPES = [
  'kms.key.created',
  'kms.key.imported',
  'kms.key.import-parameters',
  'kms.key.read',
  'kms.key.listed',
  'kms.random',
  'kms.token.created',
  'kms.token.revoked',
  'kms.token.listed',
  'kms.tenant.created',
  'kms.tenant.shredded',
  'kms.tenant.listed',
  'kms.audit.read',
  'kms.audit.enabled',
  'kms.audit.disabled',
  'kms.sdk.activated',
  'kms.access.denied',
] as const;

/** What an event is about: the operation that was tried, or `kms.access.denied` when it was not allowed. */
export type AuditEventType =
  | (typeof KEY_EVENT_TYPES)[KeyEvent]
  | (typeof OTHER_EVENT_TYPES)[number]
  | `kms.${CryptoOperation}`;

/** Every event type there is. */
export const AUDIT_EVENT_TYPES: readonly AuditEventType[] = [
  ...Object.values(KEY_EVENT_TYPES),
  ...OTHER_EVENT_TYPES,
  ...CRYPTO_OPERATIONS.map((operation) => `kms.${operation}` as const),
];

export const ACTOR_TYPES = ['user', 'service', 'system', 'workload'] as const;
export interface AuditActor {
  readonly type: (typeof ACTOR_TYPES)[number];
  /** The id of an API token, the `sub` of a JWT, or the name of a part of the service. */
  readonly id: string;
}

export const RESOURCE_TYPES = ['key', 'token', 'tenant', 'service'] as const;
export interface AuditResource {
  readonly type: (typeof RESOURCE_TYPES)[number];
  /** `null` where the operation names none, as a list does. */
  readonly id: string | null;
  /** The version of a key. */
  readonly version: number | null;
}

export const AUDIT_RESULTS = ['success', 'denied', 'failure'] as const;
export type AuditResult = (typeof AUDIT_RESULTS)[number];

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
  /** The operation that was asked for, under its id in the OpenAPI document. */
  readonly action: string;
  readonly result: AuditResult;
  /** Why it did not succeed. */
  readonly errorCode?: KmsErrorCode;
  readonly context: AuditContext;
  /** Only the names of the encryption context. */
  readonly request: { readonly contextKeys: readonly string[] };
  /**
   * The id that this event had when it waited in a database of which a copy was restored. It may be in the epoch before under that
   * one, if it was sealed there.
   */
  readonly repeats?: string;
  readonly changes?: { readonly before: AuditFacts | null; readonly after: AuditFacts | null };
}
