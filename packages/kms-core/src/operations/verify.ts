import { BOUNDS } from '../bounds/bounds.ts';
import { checkBytes } from '../bounds/check-values.ts';
import { checkSignatureInput } from '../bounds/check-signature-input.ts';
import type { SignatureOptions } from '../engines/engine.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { tryVersions, type VersionMatch } from './try-versions.ts';
import { capability } from './use-key.ts';

/** A signature, and what it is supposed to be of. */
export interface VerifyInput {
  readonly keyId: KeyId;
  readonly data: Uint8Array;
  readonly signature: Uint8Array;
  readonly options?: SignatureOptions;
  /** Only this version; if absent, every version that may still verify is tried, newest first. */
  readonly keyVersion?: number;
}

/** Whether the signature is one of this key's over the data. */
export async function verify(op: Operation, input: VerifyInput): Promise<VersionMatch> {
  checkSignatureInput(input.data, input.options);
  checkBytes('signature', input.signature, BOUNDS.signatureBytes);
  return tryVersions(op, OPERATIONS.verify, input, (used) =>
    capability(used, 'verify')(input.data, input.signature, input.options ?? {}),
  );
}
