import type { KeyPurpose } from '../algorithms/registry.ts';
import type { KeyId, TenantId } from './identifiers.ts';
import type { ProtectionLevel, RecordMac } from './key.ts';

/** Every state of a migration. */
export const MIGRATION_STATES = ['running', 'completed', 'cancelled'] as const;
/** `running` until every key was looked at, or somebody cancels it; the others are final. */
export type MigrationState = (typeof MIGRATION_STATES)[number];

/** Why a migration leaves a key as it is. */
export const MIGRATION_REFUSALS = [
  /** Its material was imported: a new version is imported as well. */
  'imported',
  /** It is not active. */
  'state',
  /** It has as many versions as it may. */
  'quota',
  /** Who started the migration may not rotate it. */
  'policy',
  /** The algorithm is not approved for FIPS mode, in which the service runs. */
  'fips',
  /** The crypto policy of the service refuses to make keys of the algorithm. */
  'crypto-policy',
  /** No HSM that holds keys supports the algorithm, and the key is not to leave them. */
  'hsm',
  /** No algorithm takes the place of its own. */
  'no-successor',
  /** The algorithm cannot do what the key is for. */
  'purpose',
  /** It withstands a quantum computer now, and would not afterwards. */
  'weaker',
  /** Its HSM did not answer, or it kept changing, at each attempt. */
  'unavailable',
  /** Its record is not authentic, or of a newer release. */
  'unreadable',
  /** Making the version failed. */
  'failed',
] as const;
/** One of `MIGRATION_REFUSALS`. */
export type MigrationRefusal = (typeof MIGRATION_REFUSALS)[number];

/** Which keys a migration is about: those that meet all of it. */
export interface MigrationSelector {
  /** The id of their present algorithm. */
  readonly algorithm?: string;
  readonly purpose?: KeyPurpose;
  readonly protectionLevel?: ProtectionLevel;
  readonly name?: string;
  readonly keyIds?: readonly KeyId[];
}

/** The post-quantum default for what each key does. */
export const QUANTUM_SAFE = 'quantum-safe';

/** What was asked for, and by whom. Never changes. */
export interface MigrationOrder {
  readonly selector: MigrationSelector;
  /** `QUANTUM_SAFE`, or the id of an algorithm. */
  readonly target: string;
  /** Who started it, as policies of keys see them. */
  readonly starter: { readonly subject: string; readonly ip: string | null; readonly mfa: boolean };
}

/** How far a migration has got. It walks through the keys from the newest to the oldest, several times where some had to wait. */
export interface MigrationProgress {
  /** How many keys the tenant had at the start. */
  readonly total: number;
  /** From 1. */
  readonly pass: number;
  /** The last key that this pass has done with; its time in milliseconds since 1970. */
  readonly after: { readonly createdAt: number; readonly keyId: KeyId } | null;
  /** How many keys this pass has looked at. */
  readonly examined: number;
  /** How many have the algorithm by this migration, in all passes. */
  readonly upgraded: number;
  /** How many of these by earlier passes. */
  readonly upgradedBefore: number;
  /** How many needed nothing when this pass looked at them. */
  readonly unchanged: number;
  /** How many have to wait for the next pass. */
  readonly waiting: number;
  /** How many stay as they are in this pass, by reason. */
  readonly refused: Readonly<Partial<Record<MigrationRefusal, number>>>;
}

/** A migration of keys to another algorithm, as it is stored. */
export interface KeyMigrationRecord {
  readonly tenantId: TenantId;
  readonly migrationId: string;
  readonly state: MigrationState;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
  readonly order: MigrationOrder;
  readonly progress: MigrationProgress;
  /** The process that works on it; `null` while none does. */
  readonly holder: string | null;
  /** From when on another process may go on with it. */
  readonly dueAt: Date;
  /** Counts the changes of the record, from 1. */
  readonly revision: number;
  /** Covers every field above. */
  readonly mac: RecordMac;
}

/** A record that still needs its MAC. */
export type UnsignedKeyMigration = Omit<KeyMigrationRecord, 'mac'>;

/** What became of one key. */
export type KeyOutcome = 'outside' | 'upgraded' | 'unchanged' | 'waiting' | MigrationRefusal;

/** The progress before anything is done. */
export function firstPass(total: number): MigrationProgress {
  return {
    total,
    pass: 1,
    after: null,
    examined: 0,
    upgraded: 0,
    upgradedBefore: 0,
    unchanged: 0,
    waiting: 0,
    refused: {},
  };
}

/** The progress at the beginning of the next pass. */
export function nextPass({ total, pass, upgraded }: MigrationProgress): MigrationProgress {
  return { ...firstPass(total), pass: pass + 1, upgraded, upgradedBefore: upgraded };
}

/** The progress after one more key. */
export function afterKey(
  progress: MigrationProgress,
  { createdAt, keyId }: { readonly createdAt: Date; readonly keyId: KeyId },
  outcome: KeyOutcome,
): MigrationProgress {
  const moved = { ...progress, after: { createdAt: createdAt.getTime(), keyId } };
  if (outcome === 'outside') return moved;
  const seen = { ...moved, examined: moved.examined + 1 };
  switch (outcome) {
    case 'upgraded':
      return { ...seen, upgraded: seen.upgraded + 1 };
    case 'unchanged':
      return { ...seen, unchanged: seen.unchanged + 1 };
    case 'waiting':
      return { ...seen, waiting: seen.waiting + 1 };
    default:
      return { ...seen, refused: { ...seen.refused, [outcome]: (seen.refused[outcome] ?? 0) + 1 } };
  }
}
