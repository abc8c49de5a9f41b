import type { Checkpoint, EvidenceEpoch, SigningKeyPeriod } from '@qnsp/kms-core/ports';
import { checkpointHash } from './checkpoint.ts';
import { GENESIS_HASH } from './event-hash.ts';

/** What signs a chain, as far as it has come. */
export interface Signers {
  /**
   * Which key signed from which event on, according to the last checkpoint; `null` if that is of the first format,
   * which does not say.
   */
  readonly periods: readonly SigningKeyPeriod[] | null;
  /** The key of the last checkpoint, `null` before the first. */
  readonly keyId: string | null;
}

/** Where a chain ends, in the form from which the next checkpoint must continue. */
export interface ChainTail {
  /** Of the last event that is sealed. */
  readonly sequence: number;
  /** Of that event; `null` where it is not known. */
  readonly hash: string | null;
  /** Of the last checkpoint, `null` before the first; `undefined` where it is not known. */
  readonly checkpointHash: string | null | undefined;
  /** When that was sealed, in milliseconds since 1970. */
  readonly sealedAt: number;
  readonly signers: Signers;
}

/** Where every chain begins. */
export const BEGINNING: ChainTail = {
  sequence: 0,
  hash: GENESIS_HASH,
  checkpointHash: null,
  sealedAt: Number.NEGATIVE_INFINITY,
  signers: { periods: null, keyId: null },
};

/** The end of a chain whose last checkpoint is this one. */
export function tailAfter(checkpoint: Checkpoint, hash: string | null): ChainTail {
  return {
    sequence: checkpoint.lastSequence,
    hash,
    checkpointHash: checkpointHash(checkpoint),
    sealedAt: Date.parse(checkpoint.timestamp),
    signers: { periods: checkpoint.signingKeys ?? null, keyId: signingKeyId(checkpoint) },
  };
}

/** The id of the key that a signature names, `null` if it names none. It has not been checked. */
export function signingKeyId({ signature }: Pick<Checkpoint, 'signature'>): string | null {
  try {
    const header: unknown = JSON.parse(Buffer.from(signature.split('.', 1)[0] ?? '', 'base64url').toString('utf8'));
    const isNamed = typeof header === 'object' && header !== null && 'kid' in header && typeof header.kid === 'string';
    return isNamed ? String(header.kid) : null;
  } catch {
    return null;
  }
}

/**
 * The periods that a checkpoint with these first events states when this key signs it, `undefined` when it may not: another key
 * has taken over from it.
 */
export function periodsWith(
  { periods, keyId: before }: Signers,
  keyId: string,
  firstSequence: number,
): readonly SigningKeyPeriod[] | undefined {
  // Of the first format it is known who signed last, but not since when.
  const known = periods ?? (before === null ? [] : [{ keyId: before, firstSequence: 1 }]);
  if (known.at(-1)?.keyId === keyId) return known;
  return known.some((period) => period.keyId === keyId) ? undefined : [...known, { keyId, firstSequence }];
}

/**
 * Why a checkpoint does not say what it must after this end of the chain, `undefined` if it does. Its place is not
 * checked.
 */
export function statementProblem(before: ChainTail, checkpoint: Checkpoint): string | undefined {
  const { signers, sealedAt } = before;
  const keyId = signingKeyId(checkpoint) ?? '';
  const unknown = before.checkpointHash === undefined;
  if (checkpoint.version === undefined)
    // An older node beside newer ones signs with the same key.
    return unknown || signers.periods === null || signers.keyId === keyId
      ? undefined
      : `it was signed with ${keyId}, and nothing says that this key takes over from the previous one`;
  const { signingKeys = [], epoch = null, timestamp } = checkpoint;
  const time = Date.parse(timestamp);
  if (signingKeys.at(-1)?.keyId !== keyId) return 'it names a different key as its signer';
  if (signingKeys.slice(0, -1).some((period) => period.keyId === keyId))
    return `it was signed with ${keyId}, from which another key has taken over`;
  if (epoch !== null && time < Date.parse(epoch.since)) return 'it claims to be older than its epoch';
  if (unknown) return undefined;
  if (time < sealedAt) return 'it claims to be older than the one that it follows';
  const expected = periodsWith(signers, keyId, checkpoint.firstSequence);
  if (expected === undefined) return `it was signed with ${keyId}, from which another key has taken over`;
  return samePeriods(expected, signingKeys)
    ? undefined
    : 'it names different signing keys from the one that it follows';
}

export function isSameEpoch(one: EvidenceEpoch | null, other: EvidenceEpoch | null): boolean {
  return one?.since === other?.since && one?.dataAsOf === other?.dataAsOf;
}

function samePeriods(one: readonly SigningKeyPeriod[], other: readonly SigningKeyPeriod[]): boolean {
  return (
    one.length === other.length &&
    one.every(
      ({ keyId, firstSequence }, at) => other[at]?.keyId === keyId && other[at]?.firstSequence === firstSequence,
    )
  );
}
