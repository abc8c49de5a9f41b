import type { Caller } from '../access/caller.ts';
import { authorize } from '../access/evaluate-policy.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { boundedContext } from '../bounds/bounded-data.ts';
import { checkBytes, checkId } from '../bounds/check-values.ts';
import type { EncryptionContext } from '../envelope/associated-data.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import { type EncryptResult, sealWith } from './encrypt.ts';
import type { Kms } from './kms.ts';
import { openEnvelope } from './open-envelope.ts';
import { useKey } from './use-key.ts';

export interface ReencryptInput {
  readonly ciphertext: Uint8Array;
  readonly context?: EncryptionContext;
  /** The context of the new ciphertext; default: that of the old one. */
  readonly newContext?: EncryptionContext;
  /** The key that the ciphertext must be under; default: the one that the ciphertext names. */
  readonly sourceKeyId?: KeyId;
  /** The key to encrypt under; default: the current version of the same key. */
  readonly destinationKeyId?: KeyId;
}

/** Moves a ciphertext to the current version of a key without showing the plaintext to the caller: one permission, and for the states of the keys a decrypt and an encrypt. */
export async function reencrypt(kms: Kms, caller: Caller, input: ReencryptInput): Promise<EncryptResult> {
  checkBytes('ciphertext', input.ciphertext, BOUNDS.ciphertextBytes);
  const context = boundedContext(input.context);
  const newContext = input.newContext === undefined ? context : boundedContext(input.newContext, 'newContext');
  if (input.sourceKeyId !== undefined) checkId('sourceKeyId', input.sourceKeyId);
  if (input.destinationKeyId !== undefined) checkId('destinationKeyId', input.destinationKeyId);
  const { plaintext, used } = await openEnvelope(
    kms,
    caller,
    input.sourceKeyId ?? null,
    'decrypt',
    input.ciphertext,
    context,
    'reencrypt',
  );
  try {
    if (input.destinationKeyId !== undefined && input.destinationKeyId !== used.key.keyId) {
      // Under another key the plaintext may be open to other people: that takes what reading and writing it takes.
      authorize(caller, OPERATIONS.decrypt.permission, used.key, kms.clock());
      // From here on the operation's own event is about the other key.
      await kms.evidence?.passes(OPERATIONS.decrypt.event);
      kms.evidence?.uses(input.destinationKeyId, null);
      const target = await kms.keyRing.load(caller.tenantId, input.destinationKeyId);
      authorize(caller, OPERATIONS.encrypt.permission, target.record, kms.clock());
    }
    const destination = await useKey(
      kms,
      caller,
      input.destinationKeyId ?? used.key.keyId,
      'encrypt',
      null,
      'reencrypt',
    );
    return await sealWith(destination, plaintext, newContext, 'reencrypt');
  } finally {
    plaintext.fill(0);
  }
}
