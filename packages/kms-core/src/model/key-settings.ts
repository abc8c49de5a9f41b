import type { PolicyDocument } from './policy-document.ts';
import type { KeyPurpose } from '../algorithms/registry.ts';
import type { KeyId } from './identifiers.ts';
import type { UsageLimits } from './key.ts';
import type { Metadata } from './metadata.ts';

/** The settings of a key that its creator chooses, whether its material is generated or imported. */
export interface KeySettings {
  readonly name?: string | null;
  readonly purpose?: KeyPurpose | null;
  readonly rotation?: RotationInput;
  readonly usageLimits?: Partial<UsageLimits>;
  readonly metadata?: Metadata;
  readonly policy?: PolicyDocument | null;
  /** Also accepts a policy that keeps its writer from changing it again. */
  readonly allowLockout?: boolean;
  /** The key that protects this one in the tenant's own hierarchy. */
  readonly parentKeyId?: KeyId | null;
  /** For how many days after its last use the key is destroyed only by who acknowledges that use; `null` and 0 are no guard. */
  readonly destroyGuardDays?: number | null;
  /** How many others have to approve what cannot be undone; `null` and 0 are nobody beside what the tenant asks for. */
  readonly requireApproval?: number | null;
}

/** When a key is to be rotated by itself. */
export interface RotationInput {
  readonly periodSeconds?: number | null;
  /** On when a period is given, unless this says otherwise. */
  readonly auto?: boolean;
  readonly retainVersions?: number | null;
}
