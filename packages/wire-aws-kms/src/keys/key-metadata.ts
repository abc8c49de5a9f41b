import type { KeyDescription } from '@qnsp/kms-core';
import { keyArn, type Place } from '../names/arn.ts';
import { kindOf, USAGES } from './key-specs.ts';

/** Seconds since 1970, with milliseconds behind the point. */
export function secondsOf(instant: string): number {
  return Date.parse(instant) / 1000;
}

/** A key as AWS KMS describes it. */
export function keyMetadata(key: KeyDescription, place: Place): Readonly<Record<string, unknown>> {
  const { keyId, algorithm, purpose, versions, currentVersion, createdAt, destroyAt, protectionLevel } = key;
  const { spec, usage, algorithms } = kindOf(algorithm, purpose);
  const state = stateOf(key);
  const origin = versions.find(({ version }) => version === currentVersion)?.origin;
  return {
    AWSAccountId: place.account,
    KeyId: keyId,
    Arn: keyArn(place, keyId),
    CreationDate: secondsOf(createdAt),
    Enabled: state === 'Enabled',
    Description: descriptionOf(key),
    KeyUsage: usage,
    KeyState: state,
    ...(state === 'PendingDeletion' && destroyAt !== null ? { DeletionDate: secondsOf(destroyAt) } : {}),
    Origin: originOf(origin, protectionLevel),
    KeyManager: 'CUSTOMER',
    KeySpec: spec,
    CustomerMasterKeySpec: spec,
    MultiRegion: false,
    [USAGES[usage].list]: algorithms,
  };
}

function originOf(origin: string | undefined, level: KeyDescription['protectionLevel']): string {
  if (level === 'hsm') return 'AWS_CLOUDHSM';
  return origin === 'imported' ? 'EXTERNAL' : 'AWS_KMS';
}

/** The text that was given for a key, which is in its metadata. */
function descriptionOf({ metadata }: Pick<KeyDescription, 'metadata'>): string {
  const { description } = metadata;
  return typeof description === 'string' ? description : '';
}

/** What AWS calls the state of a key that is not destroyed. */
function stateOf({ state, destroyAt }: Pick<KeyDescription, 'state' | 'destroyAt'>): string {
  if (destroyAt !== null || state === 'deactivated') return 'PendingDeletion';
  return state === 'active' ? 'Enabled' : 'Disabled';
}
