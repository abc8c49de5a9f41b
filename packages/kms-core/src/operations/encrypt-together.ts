import { BOUNDS } from '../bounds/bounds.ts';
import { boundedContext } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import { OPERATIONS } from './catalog.ts';
import type { EncryptInput, EncryptResult } from './encrypt.ts';
import { inRuns } from './in-runs.ts';
import type { Operation } from './operation.ts';
import { readyAtOnce } from './use-key.ts';

/**
 * Does as much of several encryptions as can be done at once, which costs less than one by one. The operation is one for all of them, and
 * a unit of each has been paid.
 *
 * @returns in the order of the inputs what `encrypt` answers; `undefined` for one that is left to that, because it waits for something,
 *   costs more, leaves evidence, or may be refused
 */
export function encryptTogether(
  op: Operation,
  inputs: readonly EncryptInput[],
): readonly (EncryptResult | undefined)[] {
  const haveOneKey = (first: EncryptInput, next: EncryptInput) => first.keyId === next.keyId;
  return inRuns(inputs, haveOneKey, ({ keyId }, run) => {
    const loaded = op.kms.keyRing.heldKey(op.caller.tenantId, keyId);
    const used = loaded && readyAtOnce(op, { use: OPERATIONS.encrypt, keyId, version: null }, loaded, run.length);
    if (used?.engine.sealAll === undefined || used.version.header === undefined) return undefined;
    const messages = run.map(({ plaintext, context }) => {
      checkBytes('plaintext', plaintext, BOUNDS.plaintextBytes);
      return { plaintext, context: boundedContext(context) };
    });
    const sealed = used.engine.sealAll(used.version.header, messages);
    op.kms.counter.count(op.caller.tenantId, run.length);
    const keyVersion = used.version.record.version;
    const algorithm = used.version.algorithm.id;
    return sealed.map((ciphertext) => ({ ciphertext, keyId, keyVersion, algorithm }));
  });
}
