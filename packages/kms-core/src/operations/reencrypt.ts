import { authorize } from '../access/evaluate-policy.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { boundedContext } from '../bounds/bounded-data.ts';
import { checkBytes, checkId } from '../bounds/check-values.ts';
import type { EncryptionContext } from '../envelope/associated-data.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import { OPERATIONS } from './catalog.ts';
import { type EncryptResult, sealWith } from './encrypt.ts';
import { openEnvelope } from './open-envelope.ts';
import type { Operation } from './operation.ts';
import { type KeyUse, useKey } from './use-key.ts';

/** What is encrypted under another key, without its plaintext leaving the KMS. */
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

const { permission } = OPERATIONS.reencrypt;
/** Its two halves: the states of the keys must allow each as the decrypt or encrypt that it is. */
const OPENING: KeyUse = { crypto: 'decrypt', permission };
const SEALING: KeyUse = { crypto: 'encrypt', permission };

/** Moves a ciphertext to the current version of a key without showing the plaintext to the caller: it takes one permission, but the states of the keys must allow a decrypt and an encrypt. */
export async function reencrypt(op: Operation, input: ReencryptInput): Promise<EncryptResult> {
  checkBytes('ciphertext', input.ciphertext, BOUNDS.ciphertextBytes);
  const context = boundedContext(input.context);
  const newContext = input.newContext === undefined ? context : boundedContext(input.newContext, 'newContext');
  if (input.sourceKeyId !== undefined) checkId('sourceKeyId', input.sourceKeyId);
  if (input.destinationKeyId !== undefined) checkId('destinationKeyId', input.destinationKeyId);
  const sealed = { keyId: input.sourceKeyId ?? null, ciphertext: input.ciphertext, associatedData: context };
  const { plaintext, used } = await openEnvelope(op, OPENING, sealed);
  try {
    const destinationKeyId = input.destinationKeyId ?? used.key.keyId;
    if (destinationKeyId !== used.key.keyId) await requireMove(op, used.key, destinationKeyId);
    const destination = await useKey(op, SEALING, destinationKeyId);
    return await sealWith(destination, plaintext, newContext, 'reencrypt');
  } finally {
    plaintext.fill(0);
  }
}

/** Under another key the plaintext may be open to other people: that takes what reading and writing it takes. */
async function requireMove({ kms, caller, evidence }: Operation, source: KeyRecord, destination: KeyId): Promise<void> {
  authorize(caller, OPERATIONS.decrypt.permission, source, kms.clock());
  // From here on the operation's own event is about the other key.
  await evidence?.passes(OPERATIONS.decrypt.event);
  evidence?.uses(destination, null);
  const target = await kms.keyRing.load(caller.tenantId, destination);
  authorize(caller, OPERATIONS.encrypt.permission, target.record, kms.clock());
}
