import { decapsulate, encapsulate, random } from '@qnsp/kms-core/internal';
import { awsError, invalid, notOffered } from '../errors/aws-error.ts';
import { inWordsOfAws, namedKey, requireAlgorithm, requireUsage } from '../keys/named-key.ts';
import { blob, operation, requireOffered } from '../request/aws-call.ts';
import { KEY_ID, oneOf, required, SEALED, USE } from '../request/shapes.ts';

const KEM = { KeyId: required(KEY_ID), EncapsulationAlgorithm: oneOf(['ML_KEM']), ...USE } as const;

const encapsulateOperation = operation({
  action: 'Encapsulate',
  operation: 'encapsulate',
  members: KEM,
  handle: async (call, input) => {
    requireOffered(input);
    const key = await namedKey(call, input.KeyId, 'protect');
    requireUsage(call, key, 'ENCAPSULATE_DECAPSULATE');
    const { EncapsulationAlgorithm: algorithm = key.algorithms[0] ?? '' } = input;
    requireAlgorithm(key, algorithm);
    const made = await inWordsOfAws(call, key.arn, () => encapsulate(call.op, { keyId: key.keyId }));
    return {
      KeyId: key.arn,
      SharedSecret: blob(made.sharedSecret),
      SharedSecretCiphertextBlob: blob(made.ciphertext),
      EncapsulationAlgorithm: algorithm,
    };
  },
});

const MOST_KEM_BYTES = 2048;

const decapsulateOperation = operation({
  action: 'Decapsulate',
  operation: 'decapsulate',
  members: { ...KEM, SharedSecretCiphertextBlob: required(SEALED) },
  handle: async (call, input) => {
    requireOffered(input);
    const key = await namedKey(call, input.KeyId, 'process');
    requireUsage(call, key, 'ENCAPSULATE_DECAPSULATE');
    const { EncapsulationAlgorithm: algorithm = key.algorithms[0] ?? '' } = input;
    requireAlgorithm(key, algorithm);
    const { SharedSecretCiphertextBlob: ciphertext } = input;
    // No encapsulation is that long, and the core takes none.
    if (ciphertext.length > MOST_KEM_BYTES) throw awsError('DECRYPT_FAILED', 'InvalidCiphertextException');
    const { sharedSecret } = await inWordsOfAws(call, key.arn, () =>
      decapsulate(call.op, { keyId: key.keyId, ciphertext }),
    );
    return { KeyId: key.arn, SharedSecret: blob(sharedSecret), EncapsulationAlgorithm: algorithm };
  },
});

const randomOperation = operation({
  action: 'GenerateRandom',
  operation: 'getRandom',
  members: {
    NumberOfBytes: { kind: 'whole', min: 1, max: 1024 },
    CustomKeyStoreId: { kind: 'text', min: 1, max: 64 },
    Recipient: USE.Recipient,
  },
  handle: async (call, input) => {
    requireOffered(input);
    if (input.CustomKeyStoreId !== undefined) throw notOffered('CustomKeyStoreId');
    const { NumberOfBytes: bytes } = input;
    if (bytes === undefined) throw invalid('NumberOfBytes is required.');
    return { Plaintext: blob(await inWordsOfAws(call, '*', () => random(call.op, { bytes }))) };
  },
});

/** What makes secrets that are shared. */
export const SECRETS = [encapsulateOperation, decapsulateOperation, randomOperation];
