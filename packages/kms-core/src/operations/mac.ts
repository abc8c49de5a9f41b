import { BOUNDS } from '../bounds/bounds.ts';
import { checkBytes, checkVersion } from '../bounds/check-values.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { tryVersions, type VersionMatch } from './try-versions.ts';
import { capability, useKey } from './use-key.ts';

/** What is authenticated, with which key. */
export interface MacInput {
  readonly keyId: KeyId;
  readonly data: Uint8Array;
  /** A superseded version as well, as long as it verifies: its codes are then the same as before the rotation. Default: the current one. */
  readonly keyVersion?: number;
}

/** A MAC, and which version of which key made it. */
export interface MacResult {
  readonly mac: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
}

/** The MAC of the data under a version of a key. Answers without a promise when the key is held in memory and its engine needs none. */
export function mac(op: Operation, input: MacInput): MaybePromise<MacResult> {
  checkBytes('data', input.data, BOUNDS.messageBytes);
  checkVersion('keyVersion', input.keyVersion);
  return andThen(useKey(op, OPERATIONS.mac, input.keyId, input.keyVersion ?? null), (used) =>
    andThen(capability(used, 'mac')(input.data), (tag) => ({
      mac: tag,
      keyId: used.key.keyId,
      keyVersion: used.version.version,
      algorithm: used.algorithm.id,
    })),
  );
}

/** A MAC, and what it is supposed to be of. */
export interface VerifyMacInput extends MacInput {
  readonly mac: Uint8Array;
  /** Only this version; if absent, every version that may still verify is tried, newest first. */
  readonly keyVersion?: number;
}

/** Whether the MAC is one of this key's over the data. */
export async function verifyMac(op: Operation, input: VerifyMacInput): Promise<VersionMatch> {
  checkBytes('data', input.data, BOUNDS.messageBytes);
  checkBytes('mac', input.mac, BOUNDS.macBytes);
  return tryVersions(op, OPERATIONS.verifyMac, input, (used) => capability(used, 'verifyMac')(input.data, input.mac));
}
