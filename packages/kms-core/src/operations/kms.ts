import type { Algorithm } from '../algorithms/registry.ts';
import type { MaybePromise } from '../engines/engine.ts';
import type { OperationEvidence } from '../evidence/operation-evidence.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import type { KeyRing } from '../keyring/key-ring.ts';
import type { OperationCounter } from '../keyring/operation-counter.ts';
import type { TokenRing } from '../keyring/token-ring.ts';
import type { OperationBudgets } from '../keyring/operation-budgets.ts';
import type { AlertSink } from '../model/alert.ts';
import type { ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { Store } from '../ports/store.ts';

/** What the operations work with; the application puts it together once. */
export interface Kms {
  readonly store: Store;
  readonly hierarchy: KeyHierarchy;
  readonly keyRing: KeyRing;
  readonly tokens: TokenRing;
  readonly budgets: OperationBudgets;
  /** The HSMs that can hold keys, in the order in which they are asked; none without an HSM. */
  readonly resident: readonly ResidentKeyProvider[];
  readonly counter: OperationCounter;
  /** Milliseconds since the epoch, for checks that involve no stored schedule. */
  readonly clock: () => number;
  /** Random bytes for key material and for `random`. */
  readonly random: (bytes: number) => MaybePromise<Uint8Array>;
  readonly settings: KmsSettings;
  /** Called with records that somebody changed in the store; default: nobody. */
  readonly alert?: AlertSink;
  /** What the operation that runs leaves behind; absent when no evidence is kept. */
  readonly evidence?: OperationEvidence | undefined;
}

export interface KmsSettings {
  /** The algorithm of keys whose creator names none. */
  readonly defaultAlgorithm: Algorithm;
  /** Whether only algorithms that are approved for FIPS 140-3 may be created and used. */
  readonly requireFips: boolean;
}
