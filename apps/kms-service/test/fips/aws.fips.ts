import { createHash, randomBytes } from 'node:crypto';
import {
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DecapsulateCommand,
  DecryptCommand,
  EncapsulateCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateMacCommand,
  type KMSClient,
  SignCommand,
  type SigningAlgorithmSpec,
  VerifyCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awsClient } from '../aws/aws-client.ts';
import { type LocalService, startLocalService } from '../local-service.ts';
import { fipsEnvironment } from './fips-service.ts';

const DATA = randomBytes(200);
let local: LocalService;
let kms: KMSClient;

beforeAll(async () => {
  local = await startLocalService(await fipsEnvironment());
  ({ client: kms } = await awsClient(local));
});
afterAll(() => local.end());

async function newKey(input: CreateKeyCommandInput = {}): Promise<string> {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand(input));
  return String(KeyMetadata?.KeyId);
}

describe('clients of AWS KMS in FIPS mode', () => {
  test('encrypt with a context, and get data keys', async () => {
    const KeyId = await newKey();
    const EncryptionContext = { purpose: 'letters' };
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: DATA, EncryptionContext }));
    const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
    expect(DATA.equals(Plaintext ?? Buffer.alloc(0))).toBe(true);
    const made = await kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob }));
    expect(opened.Plaintext).toEqual(made.Plaintext);
  });

  test('make and check authentication codes', async () => {
    const KeyId = await newKey({ KeySpec: 'HMAC_512', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const asked = { KeyId, Message: DATA, MacAlgorithm: 'HMAC_SHA_512' } as const;
    const { Mac } = await kms.send(new GenerateMacCommand(asked));
    expect((await kms.send(new VerifyMacCommand({ ...asked, Mac }))).MacValid).toBe(true);
  });

  test.each<[NonNullable<CreateKeyCommandInput['KeySpec']>, SigningAlgorithmSpec, string | undefined]>([
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
    ['RSA_2048', 'RSASSA_PSS_SHA_256', 'sha256'],
    ['ML_DSA_65', 'ML_DSA_SHAKE_256', undefined],
  ])('sign with %s, messages and digests', async (KeySpec, SigningAlgorithm, hash) => {
    const KeyId = await newKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' });
    const message = { KeyId, SigningAlgorithm, Message: DATA } as const;
    const { Signature } = await kms.send(new SignCommand(message));
    expect((await kms.send(new VerifyCommand({ ...message, Signature }))).SignatureValid).toBe(true);
    if (hash === undefined) return;
    const digest = { ...message, Message: createHash(hash).update(DATA).digest(), MessageType: 'DIGEST' } as const;
    const ofDigest = await kms.send(new SignCommand(digest));
    expect((await kms.send(new VerifyCommand({ ...message, Signature: ofDigest.Signature }))).SignatureValid).toBe(
      true,
    );
  });

  test('agree on secrets with ML-KEM', async () => {
    const KeyId = await newKey({ KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' });
    const made = await kms.send(new EncapsulateCommand({ KeyId, EncapsulationAlgorithm: 'ML_KEM' }));
    const { SharedSecretCiphertextBlob } = made;
    const opened = await kms.send(
      new DecapsulateCommand({ KeyId, EncapsulationAlgorithm: 'ML_KEM', SharedSecretCiphertextBlob }),
    );
    expect(opened.SharedSecret).toEqual(made.SharedSecret);
  });
});
