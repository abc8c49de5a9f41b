import type { TenantId } from './identifiers.ts';
import type { AuditEvent } from './audit-event.ts';

/** An event at its place in the chain of its tenant. Hashes are SHA3-256 in lower-case hexadecimal. */
export interface ChainedEvent {
  /** From 1, without gaps, for each tenant. */
  readonly sequence: number;
  /** The hash of the event before it; 64 zeros for the first. */
  readonly previousHash: string;
  readonly hash: string;
  readonly event: AuditEvent;
}

/** A life of the database that evidence is kept in: it began when a restored copy, or a standby that lagged, was let serve. */
export interface EvidenceEpoch {
  /** RFC 3339 in UTC: when it was decided that the copy may serve. No two epochs of a deployment have the same. */
  readonly since: string;
  /** RFC 3339 in UTC: of which time its data was. What was sealed after that is in the epoch before, and nowhere else. */
  readonly dataAsOf: string;
}

/** From which event of a chain on a key signs it. */
export interface SigningKeyPeriod {
  readonly keyId: string;
  readonly firstSequence: number;
}

/** What a signature says about one batch of a tenant's events: these, in this order, after those before. */
export interface CheckpointStatement {
  readonly checkpointId: string;
  /** RFC 3339 in UTC: when the batch was sealed. */
  readonly timestamp: string;
  readonly tenantId: TenantId;
  /** The Merkle tree hash over the hashes of the events, in hexadecimal. */
  readonly merkleRoot: string;
  readonly eventCount: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstEventId: string;
  readonly lastEventId: string;
  /** The hash of the tenant's checkpoint before this one; `null` for the first. */
  readonly previousCheckpoint: string | null;
  /** Of the format. The first one had neither this nor what follows. */
  readonly version?: 2;
  /** `null` where the database has had one life only. */
  readonly epoch?: EvidenceEpoch | null;
  /** The keys that signed this chain, the present one last: each takes over from the one before, and for good. */
  readonly signingKeys?: readonly SigningKeyPeriod[];
}

export interface Checkpoint extends CheckpointStatement {
  /** A JWS in compact form with a detached payload (RFC 7515, appendix F): the canonical JSON of the statement. */
  readonly signature: string;
}

/** Where the chain of a tenant ends. */
export interface ChainHead {
  readonly tenantId: TenantId;
  /** Of the last event; 0 before the first. */
  readonly sequence: number;
  readonly hash: string;
  /** The hash of the last checkpoint; `null` before the first. */
  readonly checkpoint: string | null;
  /** That checkpoint. */
  readonly last: Checkpoint | null;
}

/** Events that one signature covers. */
export interface EvidenceBatch {
  readonly events: readonly ChainedEvent[];
  readonly checkpoint: Checkpoint;
}

/** A batch that was just made, with the head of the chain after it. */
export interface SealedBatch extends EvidenceBatch {
  readonly head: ChainHead;
}
