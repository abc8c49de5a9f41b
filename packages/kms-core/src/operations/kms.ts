import type { Algorithm } from '../algorithms/registry.ts';
import type { PolicyVerdicts } from '../crypto-policy/policy-verdicts.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import type { IdentityRing } from '../keyring/identity-ring.ts';
import type { KeyRing } from '../keyring/key-ring.ts';
import type { KeyUses } from '../keyring/key-uses.ts';
import type { OperationBudgets } from '../keyring/operation-budgets.ts';
import type { OperationCounter } from '../keyring/operation-counter.ts';
import type { TenantQuotas } from '../keyring/tenant-quotas.ts';
import type { TokenRing } from '../keyring/token-ring.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { RateLimit } from '../model/tenant-limits.ts';
import type { AlertSink } from '../model/alert.ts';
import type { EvidenceReader } from '../ports/evidence-store.ts';
import type { EvidenceTrail } from '../ports/evidence-trail.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { Store } from '../ports/store.ts';

/** What the operations work with; the application puts it together once, and no call changes it. */
export interface Kms {
  readonly store: Store;
  readonly hierarchy: KeyHierarchy;
  readonly keyRing: KeyRing;
  readonly tokens: TokenRing;
  readonly identities: IdentityRing;
  /** How many of each kind tenants may have. */
  readonly quotas: TenantQuotas;
  readonly budgets: OperationBudgets;
  /** The HSMs that can hold keys, in the order in which they are asked; none without an HSM. */
  readonly resident: readonly ResidentKeyProvider[];
  readonly counter: OperationCounter;
  /** In which hours versions of keys are used. */
  readonly uses: KeyUses;
  /** What slow work waits in. */
  readonly jobs: Jobs;
  /** Milliseconds since the epoch, for checks that involve no stored schedule. */
  readonly clock: () => number;
  /** Random bytes for key material and for `random`. */
  readonly random: (bytes: number) => MaybePromise<Uint8Array>;
  readonly settings: KmsSettings;
  /** Called with records that somebody changed in the store; default: nobody. */
  readonly alert?: AlertSink;
  /** Where evidence is left and read; absent when none is kept. */
  readonly evidence?: KeptEvidence | undefined;
}

/** Evidence as the operations work with it. */
export interface KeptEvidence {
  /** Takes what operations leave. */
  readonly trail: EvidenceTrail;
  /** Answers what was left. */
  readonly store: EvidenceReader;
}

export interface KmsSettings {
  /** The algorithm of keys whose creator names none. */
  readonly defaultAlgorithm: Algorithm;
  /** Whether only algorithms that are approved for FIPS 140-3 may be created and used. */
  readonly requireFips: boolean;
  /** Whether keys of other algorithms may still read, verify and unwrap what they protected; default: they may not. */
  readonly legacyRead?: boolean | undefined;
  /** Which algorithms may be used, and until when; default: every algorithm. */
  readonly cryptoPolicy?: PolicyVerdicts | undefined;
  /** What the service holds each tenant to that has no limit of its own; default: nothing. */
  readonly tenantRate?: RateLimit | undefined;
  /** For how many days after its last use a key is destroyed only by who acknowledges that use, where its tenant has no guard of its own; default: 0, no guard. */
  readonly destroyGuardDays?: number | undefined;
  /** How many others have to approve what cannot be undone, where the tenant says nothing of its own; default: 0, nobody. */
  readonly requireApproval?: number | undefined;
  /** How long credentials of issuers live at most, in seconds; default: as long as the service can be told to take. */
  readonly credentialLifetimeSeconds?: number | undefined;
}
