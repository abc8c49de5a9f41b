import type { JsonValue } from './metadata.ts';
import type { TenantId } from './identifiers.ts';
import type { RecordMac } from './key.ts';

/** What can become of a request for approvals. One that nobody ended is over when its time is. */
export const APPROVAL_STATES = ['pending', 'executed', 'refused', 'withdrawn'] as const;
/** One of {@link APPROVAL_STATES}. */
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** A request that waits for approvals, as it is stored. */
export interface ApprovalRecord {
  readonly approvalId: string;
  readonly tenantId: TenantId;
  /** SHA-256 over who asks for what: the same call by the same caller has the same one. 32 bytes. */
  readonly fingerprint: Uint8Array;
  readonly state: ApprovalState;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** An {@link ApprovalContent} as JSON. */
  readonly content: string;
  /** Covers every field above, under the master key of the service. */
  readonly mac: RecordMac;
}

/** A record that still needs its MAC. */
export type UnsignedApproval = Omit<ApprovalRecord, 'mac'>;

/** What a request for approvals is about, and what was said to it. */
export interface ApprovalContent {
  /** The id of the operation in the catalogue. */
  readonly operation: string;
  /** Its input; bytes as `{ bytes }` in base64, instants as `{ date }` in milliseconds since 1970. */
  readonly input: Readonly<Record<string, JsonValue>>;
  readonly requestedBy: Hands;
  /** How many approvals it took when it was asked for. */
  readonly required: number;
  readonly decisions: readonly ApprovalDecision[];
}

/** Whose hands a caller is in, in names of identities. */
export interface Hands {
  /** The subject of the caller. */
  readonly subject: string;
  /** That, and anyone who knew the secret of the credential when it was made: the tokens that it descends from. */
  readonly own: readonly string[];
  /** Who let it in without knowing its secret, or is of the platform. */
  readonly madeBy: readonly string[];
}

/** What one identity said. */
export interface ApprovalDecision {
  readonly by: Hands;
  readonly decision: 'approve' | 'refuse';
  /** RFC 3339 in UTC. */
  readonly at: string;
}

/**
 * Whether two callers count as one: one was there when the secret of the other was made, both have such an ancestor, or one let the other
 * in.
 */
export function areOne(a: Hands, b: Hands): boolean {
  const meets = (some: readonly string[], others: readonly string[]) => some.some((name) => others.includes(name));
  return meets(a.own, b.own) || meets(a.own, b.madeBy) || meets(a.madeBy, b.own);
}
