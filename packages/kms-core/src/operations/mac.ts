import type { Caller } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkBytes } from '../bounds/check-values.ts';
import { andThen, type MaybePromise } from '../engines/engine.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { Kms } from './kms.ts';
import { tryVersions, type VersionMatch } from './try-versions.ts';
import { capability, useKey } from './use-key.ts';

export interface MacInput {
  readonly keyId: KeyId;
  readonly data: Uint8Array;
}

export interface MacResult {
  readonly mac: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
}

/** The MAC of the data under the current version of a key. */
export async function mac(kms: Kms, caller: Caller, input: MacInput): Promise<MacResult> {
  return macNow(kms, caller, input);
}

/** As `mac`, but answers, or throws, at once when there is nothing to wait for: the key is held in memory. */
export function macNow(kms: Kms, caller: Caller, input: MacInput): MaybePromise<MacResult> {
  checkBytes('data', input.data, BOUNDS.messageBytes);
  return andThen(useKey(kms, caller, input.keyId, 'mac'), (used) =>
    andThen(capability(used, 'mac')(input.data), (tag) => ({
      mac: tag,
      keyId: used.key.keyId,
      keyVersion: used.version.version,
      algorithm: used.algorithm.id,
    })),
  );
}

export interface VerifyMacInput extends MacInput {
  readonly mac: Uint8Array;
  readonly keyVersion?: number;
}

/** Whether the MAC is one of this key's over the data. */
export async function verifyMac(kms: Kms, caller: Caller, input: VerifyMacInput): Promise<VersionMatch> {
  checkBytes('data', input.data, BOUNDS.messageBytes);
  checkBytes('mac', input.mac, BOUNDS.macBytes);
  return tryVersions(kms, caller, input.keyId, 'mac-verify', input.keyVersion, (used) =>
    capability(used, 'verifyMac')(input.data, input.mac),
  );
}
