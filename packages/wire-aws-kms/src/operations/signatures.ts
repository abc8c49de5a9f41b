import type { SignatureOptions } from '@qnsp/kms-core';
import { getPublicKey, mac, sign, verify, verifyMac } from '@qnsp/kms-core/internal';
import { awsError, invalid, notOffered } from '../errors/aws-error.ts';
import { SIGNING_ALGORITHMS, USAGES } from '../keys/key-specs.ts';
import { inWordsOfAws, type NamedKey, namedKey, requireAlgorithm, requireUsage } from '../keys/named-key.ts';
import { type AwsCall, blob, operation, requireOffered } from '../request/aws-call.ts';
import { KEY_ID, MESSAGE, oneOf, required, SEALED, USE } from '../request/shapes.ts';

const SIGNED = {
  KeyId: required(KEY_ID),
  Message: required(MESSAGE),
  MessageType: oneOf(['RAW', 'DIGEST', 'EXTERNAL_MU']),
  SigningAlgorithm: required(oneOf(Object.keys(SIGNING_ALGORITHMS))),
  ...USE,
} as const;

interface SignedInput {
  readonly Message: Buffer;
  readonly MessageType?: string;
  readonly SigningAlgorithm: string;
}

/** How the core is asked for a signature. */
function optionsFor(
  call: AwsCall,
  key: NamedKey,
  { Message: message, MessageType: type = 'RAW', SigningAlgorithm: algorithm }: SignedInput,
): SignatureOptions {
  requireUsage(call, key, 'SIGN_VERIFY');
  requireAlgorithm(key, algorithm);
  const { options = {}, digestBytes } = SIGNING_ALGORITHMS[algorithm] ?? {};
  if (type === 'RAW') return options;
  if (type === 'EXTERNAL_MU') throw notOffered('EXTERNAL_MU');
  if (digestBytes === undefined)
    throw invalid(`Algorithm ${algorithm} is not compatible with the message type ${type}.`);
  if (message.length !== digestBytes) throw invalid(`Digest is invalid length for algorithm ${algorithm}.`);
  return { ...options, messageType: 'digest' };
}

const signOperation = operation({
  action: 'Sign',
  operation: 'sign',
  members: SIGNED,
  handle: async (call, input) => {
    requireOffered(input);
    const key = await namedKey(call, input.KeyId, 'protect');
    const options = optionsFor(call, key, input);
    const { signature } = await inWordsOfAws(call, key.arn, async () =>
      sign(call.op, { keyId: key.keyId, data: input.Message, options }),
    );
    return { KeyId: key.arn, Signature: blob(signature), SigningAlgorithm: input.SigningAlgorithm };
  },
});

const verifyOperation = operation({
  action: 'Verify',
  operation: 'verify',
  members: { ...SIGNED, Signature: required(SEALED) },
  handle: async (call, input) => {
    requireOffered(input);
    const key = await namedKey(call, input.KeyId, 'process');
    const options = optionsFor(call, key, input);
    const { Message: data, Signature: signature } = input;
    const { valid } = await inWordsOfAws(call, key.arn, () =>
      verify(call.op, { keyId: key.keyId, data, signature, options }),
    );
    if (!valid) throw awsError('BAD_REQUEST', 'KMSInvalidSignatureException');
    return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm: input.SigningAlgorithm };
  },
});

const AUTHENTICATED = {
  KeyId: required(KEY_ID),
  Message: required(MESSAGE),
  MacAlgorithm: required(oneOf(['HMAC_SHA_224', 'HMAC_SHA_256', 'HMAC_SHA_384', 'HMAC_SHA_512'])),
  ...USE,
} as const;

const macOperation = operation({
  action: 'GenerateMac',
  operation: 'mac',
  members: AUTHENTICATED,
  handle: async (call, input) => {
    requireOffered(input);
    const key = await namedKey(call, input.KeyId, 'protect');
    requireUsage(call, key, 'GENERATE_VERIFY_MAC');
    requireAlgorithm(key, input.MacAlgorithm);
    const made = await inWordsOfAws(call, key.arn, async () => mac(call.op, { keyId: key.keyId, data: input.Message }));
    return { Mac: blob(made.mac), MacAlgorithm: input.MacAlgorithm, KeyId: key.arn };
  },
});

const verifyMacOperation = operation({
  action: 'VerifyMac',
  operation: 'verifyMac',
  members: { ...AUTHENTICATED, Mac: required(SEALED) },
  handle: async (call, input) => {
    requireOffered(input);
    const key = await namedKey(call, input.KeyId, 'process');
    requireUsage(call, key, 'GENERATE_VERIFY_MAC');
    requireAlgorithm(key, input.MacAlgorithm);
    const { Message: data, Mac } = input;
    // What is longer than any MAC is none, and the core takes none that long.
    const isPossible = Mac.length <= MOST_MAC_BYTES;
    const { valid } = isPossible
      ? await inWordsOfAws(call, key.arn, () => verifyMac(call.op, { keyId: key.keyId, data, mac: Mac }))
      : { valid: false };
    if (!valid) throw awsError('BAD_REQUEST', 'KMSInvalidMacException');
    return { KeyId: key.arn, MacValid: true, MacAlgorithm: input.MacAlgorithm };
  },
});

const MOST_MAC_BYTES = 64;

const publicKeyOperation = operation({
  action: 'GetPublicKey',
  operation: 'getPublicKey',
  members: { KeyId: required(KEY_ID), GrantTokens: USE.GrantTokens },
  handle: async (call, input) => {
    requireOffered(input);
    const key = await namedKey(call, input.KeyId, 'protect');
    const { spec, usage, algorithms, record } = key;
    const current = record.versions.find(({ version }) => version === record.currentVersion);
    if (current?.publicKey === null) throw awsError('BAD_REQUEST', 'UnsupportedOperationException');
    const { publicKey } = await inWordsOfAws(call, key.arn, () => getPublicKey(call.op, { keyId: key.keyId }));
    return {
      KeyId: key.arn,
      PublicKey: blob(publicKey),
      CustomerMasterKeySpec: spec,
      KeySpec: spec,
      KeyUsage: usage,
      [USAGES[usage].list]: algorithms,
    };
  },
});

/** What signs, authenticates and checks. */
export const SIGNATURES = [signOperation, verifyOperation, macOperation, verifyMacOperation, publicKeyOperation];
