import { type KeyId, KmsError } from '@qnsp/kms-core';
import { createDataKey, decrypt, encrypt, parseHeader, reencrypt } from '@qnsp/kms-core/internal';
import { awsError, invalid, notOffered } from '../errors/aws-error.ts';
import { materialIdOf } from '../keys/material-id.ts';
import { inWordsOfAws, loadedKey, type NamedKey, namedKey, requireAlgorithm, requireUsage } from '../keys/named-key.ts';
import { keyIdIn } from '../names/arn.ts';
import { type AwsCall, blob, operation, requireOffered } from '../request/aws-call.ts';
import { CONTEXT, KEY_ID, MESSAGE, oneOf, required, SEALED, USE } from '../request/shapes.ts';

const ALGORITHM = oneOf(['SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE']);
const SYMMETRIC = 'SYMMETRIC_DEFAULT';
const DATA_KEY_BYTES: Readonly<Record<string, number>> = { AES_256: 32, AES_128: 16 };
/** What the core makes; AWS makes any number up to 1,024. */
const MADE_BYTES = { minimum: 16, maximum: 64 };
/** Says neither whether the key was ever there nor whose it is. */
const NO_ACCESS =
  'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.';

type Context = Readonly<Record<string, string>> | undefined;

/** Throws unless a key encrypts with the algorithm. */
function requireEncryption(call: AwsCall, key: NamedKey, algorithm = SYMMETRIC): void {
  requireUsage(call, key, 'ENCRYPT_DECRYPT');
  requireAlgorithm(key, algorithm);
  // RSAES-OAEP, which is bare in AWS KMS and has a header here.
  if (!key.isSymmetric) throw notOffered(`Encryption with keys of the spec ${key.spec}`);
}

/** The key that a ciphertext names, which has to be the one that the call names where it does. */
async function sourceKey(
  call: AwsCall,
  ciphertext: Buffer,
  given: string | undefined,
  contexts: readonly Context[],
): Promise<NamedKey> {
  const named = given === undefined ? undefined : await namedKey(call, given, 'process', contexts);
  const keyId: KeyId = parseHeader(ciphertext).keyId;
  if (named === undefined) return ofCiphertext(call, keyId, contexts);
  if (named.keyId === keyId) return named;
  throw awsError(
    'BAD_REQUEST',
    'IncorrectKeyException',
    'The key ID in the request does not identify a CMK that can perform this operation.',
  );
}

async function ofCiphertext(call: AwsCall, keyId: KeyId, contexts: readonly Context[]): Promise<NamedKey> {
  try {
    return await loadedKey(call, keyId, 'process', contexts);
  } catch (error) {
    if (KmsError.is(error) && (error.code === 'NOT_FOUND' || error.code === 'FORBIDDEN'))
      throw awsError('FORBIDDEN', 'AccessDeniedException', NO_ACCESS, error);
    throw error;
  }
}

const encryptOperation = operation({
  action: 'Encrypt',
  operation: 'encrypt',
  members: {
    KeyId: required(KEY_ID),
    Plaintext: required(MESSAGE),
    EncryptionContext: CONTEXT,
    EncryptionAlgorithm: ALGORITHM,
    ...USE,
  },
  handle: async (call, input) => {
    requireOffered(input);
    const { EncryptionContext: context, EncryptionAlgorithm, Plaintext: plaintext } = input;
    const key = await namedKey(call, input.KeyId, 'protect', [context]);
    requireEncryption(call, key, EncryptionAlgorithm);
    const { keyId } = key;
    const { ciphertext } = await inWordsOfAws(call, key.arn, async () =>
      encrypt(call.op, { keyId, plaintext, ...(context === undefined ? {} : { context }) }),
    );
    return { CiphertextBlob: blob(ciphertext), KeyId: key.arn, EncryptionAlgorithm: SYMMETRIC };
  },
});

const decryptOperation = operation({
  action: 'Decrypt',
  operation: 'decrypt',
  members: {
    CiphertextBlob: required(SEALED),
    EncryptionContext: CONTEXT,
    KeyId: KEY_ID,
    EncryptionAlgorithm: ALGORITHM,
    ...USE,
  },
  handle: async (call, input) => {
    requireOffered(input);
    const { EncryptionContext: context, EncryptionAlgorithm, CiphertextBlob: ciphertext } = input;
    const key = await sourceKey(call, ciphertext, input.KeyId, [context]);
    requireEncryption(call, key, EncryptionAlgorithm);
    const { keyId } = key;
    const { plaintext, keyVersion } = await inWordsOfAws(call, key.arn, async () =>
      decrypt(call.op, { keyId, ciphertext, ...(context === undefined ? {} : { context }) }),
    );
    return {
      KeyId: key.arn,
      Plaintext: blob(plaintext),
      EncryptionAlgorithm: SYMMETRIC,
      KeyMaterialId: materialIdOf(keyId, keyVersion),
    };
  },
});

const reencryptOperation = operation({
  action: 'ReEncrypt',
  operation: 'reencrypt',
  members: {
    CiphertextBlob: required(SEALED),
    SourceEncryptionContext: CONTEXT,
    SourceKeyId: KEY_ID,
    DestinationKeyId: required(KEY_ID),
    DestinationEncryptionContext: CONTEXT,
    SourceEncryptionAlgorithm: ALGORITHM,
    DestinationEncryptionAlgorithm: ALGORITHM,
    ...USE,
  },
  handle: async (call, input) => {
    requireOffered(input);
    // Without one the new ciphertext has none, whatever the old one has.
    const { SourceEncryptionContext: context, DestinationEncryptionContext: newContext = {} } = input;
    const { CiphertextBlob: ciphertext } = input;
    const contexts = [context, newContext];
    const destinationKeyId = keyIdIn(input.DestinationKeyId, call.place, true);
    const source = await sourceKey(call, ciphertext, input.SourceKeyId, contexts);
    requireEncryption(call, source, input.SourceEncryptionAlgorithm);
    const destination = await loadedKey(call, destinationKeyId, 'protect', contexts);
    requireEncryption(call, destination, input.DestinationEncryptionAlgorithm);
    const result = await inWordsOfAws(call, destination.arn, () =>
      reencrypt(call.op, {
        ciphertext,
        newContext,
        sourceKeyId: source.keyId,
        destinationKeyId,
        ...(context === undefined ? {} : { context }),
      }),
    );
    return {
      CiphertextBlob: blob(result.ciphertext),
      SourceKeyId: source.arn,
      KeyId: destination.arn,
      SourceEncryptionAlgorithm: SYMMETRIC,
      DestinationEncryptionAlgorithm: SYMMETRIC,
      SourceKeyMaterialId: materialIdOf(source.keyId, parseHeader(ciphertext).keyVersion),
      DestinationKeyMaterialId: materialIdOf(destinationKeyId, result.keyVersion),
    };
  },
});

function dataKeyOperation(action: 'GenerateDataKey' | 'GenerateDataKeyWithoutPlaintext') {
  return operation({
    action,
    operation: 'createDataKey',
    members: {
      KeyId: required(KEY_ID),
      EncryptionContext: CONTEXT,
      NumberOfBytes: { kind: 'whole', min: 1, max: 1024 },
      KeySpec: oneOf(['AES_256', 'AES_128']),
      ...USE,
    },
    handle: async (call, input) => {
      requireOffered(input);
      const { KeySpec: spec, NumberOfBytes, EncryptionContext: context = {} } = input;
      if ((spec === undefined) === (NumberOfBytes === undefined))
        throw invalid('Please specify either number of bytes or key spec.');
      const bytes = NumberOfBytes ?? DATA_KEY_BYTES[spec ?? ''] ?? 0;
      const key = await namedKey(call, input.KeyId, 'protect', [context]);
      requireEncryption(call, key);
      if (bytes < MADE_BYTES.minimum || bytes > MADE_BYTES.maximum)
        throw notOffered(
          `A data key of ${bytes} bytes: they have ${MADE_BYTES.minimum} to ${MADE_BYTES.maximum}, which`,
        );
      const withPlaintext = action === 'GenerateDataKey';
      const made = await inWordsOfAws(call, key.arn, () =>
        createDataKey(call.op, { keyId: key.keyId, bytes, context, withPlaintext }),
      );
      return {
        CiphertextBlob: blob(made.wrappedKey),
        ...(made.dataKey === undefined ? {} : { Plaintext: blob(made.dataKey) }),
        KeyId: key.arn,
        KeyMaterialId: materialIdOf(key.keyId, made.keyVersion),
      };
    },
  });
}

/** What encrypts and decrypts. */
export const ENCRYPTION = [
  encryptOperation,
  decryptOperation,
  reencryptOperation,
  dataKeyOperation('GenerateDataKey'),
  dataKeyOperation('GenerateDataKeyWithoutPlaintext'),
];
