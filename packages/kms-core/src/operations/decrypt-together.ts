import { BOUNDS } from '../bounds/bounds.ts';
import { boundedContext } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import { HEADER_BYTES } from '../envelope/header.ts';
import { KmsError } from '../errors/kms-error.ts';
import { OPERATIONS } from './catalog.ts';
import type { DecryptInput, DecryptResult } from './decrypt.ts';
import { inRuns } from './in-runs.ts';
import { isForLegacyData, readHeader } from './open-envelope.ts';
import type { Operation } from './operation.ts';
import { readyAtOnce } from './use-key.ts';

/**
 * Does as much of several decryptions as can be done at once, as `encryptTogether` does of encryptions.
 *
 * @returns in the order of the inputs what `decrypt` answers, or the `DECRYPT_FAILED` that it throws; `undefined` for one that is left to it
 */
export function decryptTogether(
  op: Operation,
  inputs: readonly DecryptInput[],
): readonly (DecryptResult | KmsError | undefined)[] {
  return inRuns(inputs, haveOneVersion, (first, run) => {
    const header = readHeader(first.ciphertext);
    if (header === undefined || (first.keyId ?? header.keyId) !== header.keyId) return undefined;
    const { keyId, keyVersion } = header;
    const loaded = op.kms.keyRing.heldKey(op.caller.tenantId, keyId);
    if (loaded === undefined || isForLegacyData(loaded)) return undefined;
    if (loaded.version(keyVersion)?.cipher.suite !== header.suite) return undefined;
    const used = readyAtOnce(op, { use: OPERATIONS.decrypt, keyId, version: keyVersion }, loaded, run.length);
    if (used?.engine.openAll === undefined) return undefined;
    const messages = run.map(({ ciphertext, context }) => {
      checkBytes('ciphertext', ciphertext, BOUNDS.ciphertextBytes);
      return { ciphertext, context: boundedContext(context) };
    });
    const opened = used.engine.openAll(messages);
    op.kms.counter.count(op.caller.tenantId, run.length);
    return opened.map((one) => (KmsError.is(one) ? one : { plaintext: one, keyId, keyVersion }));
  });
}

/** Whether two are to be opened by the same version of the same key: as they say in their headers, and their callers. */
function haveOneVersion(first: DecryptInput, next: DecryptInput): boolean {
  if (first.keyId !== next.keyId) return false;
  for (let at = 0; at < HEADER_BYTES; at += 1) if (first.ciphertext[at] !== next.ciphertext[at]) return false;
  return true;
}
