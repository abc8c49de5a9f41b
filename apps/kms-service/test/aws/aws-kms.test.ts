import { createHash, createPublicKey, randomBytes, verify as verifySignature } from 'node:crypto';
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  type CreateKeyCommandInput,
  DecapsulateCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyRotationCommand,
  EnableKeyRotationCommand,
  EncapsulateCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  GenerateRandomCommand,
  GetKeyRotationStatusCommand,
  GetPublicKeyCommand,
  type KeySpec,
  type KMSClient,
  ListKeysCommand,
  ReEncryptCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  type SigningAlgorithmSpec,
  UpdateKeyDescriptionCommand,
  VerifyCommand,
  VerifyMacCommand,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, startLocalService } from '../local-service.ts';
import { awsClient, failure } from './aws-client.ts';

let local: LocalService;
let kms: KMSClient;
let tokenId: string;
beforeAll(async () => {
  local = await startLocalService();
  ({ client: kms, tokenId } = await awsClient(local));
});
afterAll(() => local.end());

const PLAINTEXT = Buffer.from('attack at dawn');
const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');

async function newKey(input: CreateKeyCommandInput = {}) {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand(input));
  if (KeyMetadata?.KeyId === undefined || KeyMetadata.Arn === undefined) throw new Error('there is no key');
  return { KeyId: KeyMetadata.KeyId, Arn: KeyMetadata.Arn, KeyMetadata };
}

describe('keys', () => {
  test('are described as AWS describes them', async () => {
    const { KeyId, Arn, KeyMetadata } = await newKey({ Description: 'letters' });
    expect(Arn).toMatch(new RegExp(`^arn:aws:kms:us-east-1:\\d{12}:key/${KeyId}$`));
    expect(KeyMetadata).toEqual({
      AWSAccountId: Arn.split(':')[4],
      KeyId,
      Arn,
      CreationDate: expect.any(Date),
      Enabled: true,
      Description: 'letters',
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeyState: 'Enabled',
      Origin: 'AWS_KMS',
      KeyManager: 'CUSTOMER',
      KeySpec: 'SYMMETRIC_DEFAULT',
      CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
      MultiRegion: false,
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    });
    for (const name of [KeyId, Arn, KeyId.toUpperCase()])
      expect((await kms.send(new DescribeKeyCommand({ KeyId: name }))).KeyMetadata).toEqual(KeyMetadata);
    await kms.send(new UpdateKeyDescriptionCommand({ KeyId, Description: 'other letters' }));
    const { KeyMetadata: changed } = await kms.send(new DescribeKeyCommand({ KeyId }));
    expect(changed?.Description).toBe('other letters');
  });

  test('are listed in pages, whichever interface made them', async () => {
    const made = await newKey();
    const { body } = await local.call('POST', '/kms/v1/keys', { name: 'by the other interface' });
    const listed: string[] = [];
    for (let Marker: string | undefined, more = true; more; ) {
      const page = await kms.send(new ListKeysCommand({ Limit: 2, ...(Marker === undefined ? {} : { Marker }) }));
      listed.push(...(page.Keys ?? []).map(({ KeyId }) => String(KeyId)));
      more = page.Truncated === true;
      Marker = page.NextMarker;
      expect(Marker === undefined).toBe(!more);
    }
    expect(listed).toContain(made.KeyId);
    expect(listed).toContain(body['keyId']);
    expect(new Set(listed).size).toBe(listed.length);
    const [name] = await failure(kms.send(new ListKeysCommand({ Marker: 'nothing' })));
    expect(name).toBe('InvalidMarkerException');
  });

  test('end after a while, unless that is taken back', async () => {
    const { KeyId, Arn } = await newKey();
    const scheduled = await kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    expect(scheduled).toMatchObject({ KeyId: Arn, KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
    expect(KeyMetadata).toMatchObject({ KeyState: 'PendingDeletion', Enabled: false });
    expect(KeyMetadata?.DeletionDate).toEqual(scheduled.DeletionDate);
    const pending = ['KMSInvalidStateException', `${Arn} is pending deletion.`];
    for (const call of [
      kms.send(new EncryptCommand({ KeyId, Plaintext: PLAINTEXT })),
      kms.send(new ScheduleKeyDeletionCommand({ KeyId })),
      kms.send(new UpdateKeyDescriptionCommand({ KeyId, Description: 'x' })),
      kms.send(new EnableKeyRotationCommand({ KeyId })),
    ])
      expect(await failure(call)).toEqual(pending);
    expect(await kms.send(new CancelKeyDeletionCommand({ KeyId }))).toMatchObject({ KeyId: Arn });
    expect(await failure(kms.send(new CancelKeyDeletionCommand({ KeyId })))).toEqual([
      'KMSInvalidStateException',
      `${Arn} is not pending deletion.`,
    ]);
    await kms.send(new EncryptCommand({ KeyId, Plaintext: PLAINTEXT }));
  });

  test('get another version on a schedule and on demand, and say when', async () => {
    const { KeyId, Arn } = await newKey();
    const status = () => kms.send(new GetKeyRotationStatusCommand({ KeyId }));
    expect(await status()).toMatchObject({ KeyId: Arn, KeyRotationEnabled: false });
    await kms.send(new EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
    expect(await status()).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: 90 });
    expect((await status()).NextRotationDate).toBeInstanceOf(Date);
    await kms.send(new DisableKeyRotationCommand({ KeyId }));
    expect((await status()).KeyRotationEnabled).toBe(false);
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: PLAINTEXT }));
    const before = await kms.send(new DecryptCommand({ CiphertextBlob }));
    expect(await kms.send(new RotateKeyOnDemandCommand({ KeyId }))).toMatchObject({ KeyId: Arn });
    const after = await kms.send(new DecryptCommand({ CiphertextBlob }));
    expect(after.KeyMaterialId).toBe(before.KeyMaterialId);
    const made = await kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' }));
    expect(made.KeyMaterialId).not.toBe(before.KeyMaterialId);
    const mac = await newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    expect(await kms.send(new GetKeyRotationStatusCommand({ KeyId: mac.KeyId }))).toMatchObject({
      KeyRotationEnabled: false,
    });
    const [name] = await failure(kms.send(new EnableKeyRotationCommand({ KeyId: mac.KeyId })));
    expect(name).toBe('UnsupportedOperationException');
  });
});

describe('encryption', () => {
  test('opens what it made with the same context, and the other interface opens it, too', async () => {
    const { KeyId, Arn } = await newKey();
    const EncryptionContext = { purpose: 'letters', constructor: 'a name like any other' };
    const sealed = await kms.send(new EncryptCommand({ KeyId, Plaintext: PLAINTEXT, EncryptionContext }));
    expect(sealed).toMatchObject({ KeyId: Arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    const { CiphertextBlob } = sealed;
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }));
    expect(opened).toMatchObject({ KeyId: Arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    expect(hex(opened.Plaintext)).toBe(hex(PLAINTEXT));
    const { body } = await local.call('POST', `/kms/v1/keys/${KeyId}/decrypt`, {
      ciphertext: Buffer.from(CiphertextBlob ?? []).toString('base64'),
      context: EncryptionContext,
    });
    expect(body['plaintext']).toBe(PLAINTEXT.toString('base64'));
  });

  test('says nothing but that a ciphertext is wrong, of everything that can be wrong with one', async () => {
    const { KeyId } = await newKey();
    const EncryptionContext = { a: 'b' };
    const { CiphertextBlob = new Uint8Array() } = await kms.send(
      new EncryptCommand({ KeyId, Plaintext: PLAINTEXT, EncryptionContext }),
    );
    const changed = Buffer.from(CiphertextBlob);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    for (const input of [
      { CiphertextBlob },
      { CiphertextBlob, EncryptionContext: { a: 'c' } },
      { CiphertextBlob: changed, EncryptionContext },
      { CiphertextBlob: Buffer.concat([CiphertextBlob, Buffer.alloc(1)]), EncryptionContext },
      { CiphertextBlob: CiphertextBlob.slice(0, -1), EncryptionContext },
      { CiphertextBlob: randomBytes(100), EncryptionContext },
    ])
      expect((await failure(kms.send(new DecryptCommand(input))))[0]).toBe('InvalidCiphertextException');
    const other = await newKey();
    const named = { CiphertextBlob, EncryptionContext, KeyId: other.KeyId };
    expect((await failure(kms.send(new DecryptCommand(named))))[0]).toBe('IncorrectKeyException');
  });

  test('moves a ciphertext to another key, without a context unless one is given', async () => {
    const [source, destination] = [await newKey(), await newKey()];
    const SourceEncryptionContext = { a: 'b' };
    const { CiphertextBlob } = await kms.send(
      new EncryptCommand({ KeyId: source.KeyId, Plaintext: PLAINTEXT, EncryptionContext: SourceEncryptionContext }),
    );
    const moved = await kms.send(
      new ReEncryptCommand({ CiphertextBlob, SourceEncryptionContext, DestinationKeyId: destination.Arn }),
    );
    expect(moved).toMatchObject({ SourceKeyId: source.Arn, KeyId: destination.Arn });
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob: moved.CiphertextBlob }));
    expect([opened.KeyId, hex(opened.Plaintext)]).toEqual([destination.Arn, hex(PLAINTEXT)]);
    expect(moved.DestinationKeyMaterialId).toBe(opened.KeyMaterialId);
  });

  test('makes data keys that it opens', async () => {
    const { KeyId, Arn } = await newKey();
    const EncryptionContext = { file: 'a' };
    const made = await kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_128', EncryptionContext }));
    expect([made.KeyId, made.Plaintext?.length]).toEqual([Arn, 16]);
    const opened = await kms.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, EncryptionContext }));
    expect(hex(opened.Plaintext)).toBe(hex(made.Plaintext));
    const bare = await kms.send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId, NumberOfBytes: 48 }));
    expect(bare).not.toHaveProperty('Plaintext');
    const { Plaintext } = await kms.send(new DecryptCommand({ CiphertextBlob: bare.CiphertextBlob }));
    expect(Plaintext).toHaveLength(48);
    for (const input of [{}, { KeySpec: 'AES_256', NumberOfBytes: 32 } as const])
      expect((await failure(kms.send(new GenerateDataKeyCommand({ KeyId, ...input }))))[0]).toBe('ValidationException');
  });
});

describe('signatures', () => {
  const CASES: readonly (readonly [KeySpec, SigningAlgorithmSpec, hash: string | undefined])[] = [
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
    ['RSA_2048', 'RSASSA_PSS_SHA_256', 'sha256'],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512', 'sha512'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', undefined],
    ['ML_DSA_65', 'ML_DSA_SHAKE_256', undefined],
  ];

  test.each(CASES)('%s signs with %s, messages and digests alike', async (KeySpec, SigningAlgorithm, hash) => {
    const { KeyId, Arn, KeyMetadata } = await newKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' });
    expect(KeyMetadata.SigningAlgorithms).toContain(SigningAlgorithm);
    const Message = PLAINTEXT;
    const { Signature = new Uint8Array() } = await kms.send(new SignCommand({ KeyId, Message, SigningAlgorithm }));
    const check = (input: { readonly Message: Uint8Array; readonly MessageType?: 'DIGEST' }, signature: Uint8Array) =>
      kms.send(new VerifyCommand({ KeyId, SigningAlgorithm, Signature: signature, ...input }));
    expect(await check({ Message }, Signature)).toMatchObject({ KeyId: Arn, SignatureValid: true, SigningAlgorithm });
    expect((await failure(check({ Message: Buffer.from('other') }, Signature)))[0]).toBe(
      'KMSInvalidSignatureException',
    );
    const shown = await kms.send(new GetPublicKeyCommand({ KeyId }));
    expect(shown).toMatchObject({ KeyId: Arn, KeySpec, KeyUsage: 'SIGN_VERIFY' });
    expect(shown.SigningAlgorithms).toEqual(KeyMetadata.SigningAlgorithms);
    const publicKey = createPublicKey({ key: Buffer.from(shown.PublicKey ?? []), format: 'der', type: 'spki' });
    if (KeySpec.startsWith('ECC_NIST_P')) expect(verifySignature(hash, Message, publicKey, Signature)).toBe(true);
    const wrong = kms.send(new SignCommand({ KeyId, Message, MessageType: 'DIGEST', SigningAlgorithm }));
    expect((await failure(wrong))[0]).toBe('ValidationException');
    if (hash === undefined) return;
    const digest = createHash(hash).update(Message).digest();
    expect(await check({ Message: digest, MessageType: 'DIGEST' }, Signature)).toMatchObject({ SignatureValid: true });
    const ofDigest = { KeyId, Message: digest, MessageType: 'DIGEST', SigningAlgorithm } as const;
    const signed = await kms.send(new SignCommand(ofDigest));
    expect(await check({ Message }, signed.Signature ?? new Uint8Array())).toMatchObject({ SignatureValid: true });
  });

  test('of another algorithm than the key has, or by a key for something else, are not made', async () => {
    const signing = await newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const sealing = await newKey();
    const input = { Message: PLAINTEXT, SigningAlgorithm: 'ECDSA_SHA_384' } as const;
    expect(await failure(kms.send(new SignCommand({ KeyId: signing.KeyId, ...input })))).toEqual([
      'InvalidKeyUsageException',
      'Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.',
    ]);
    expect(await failure(kms.send(new SignCommand({ KeyId: sealing.KeyId, ...input })))).toEqual([
      'InvalidKeyUsageException',
      `${sealing.Arn} key usage is ENCRYPT_DECRYPT which is not valid for Sign.`,
    ]);
    const shown = kms.send(new GetPublicKeyCommand({ KeyId: sealing.KeyId }));
    expect((await failure(shown))[0]).toBe('UnsupportedOperationException');
  });
});

test.each([256, 384, 512] as const)('MACs of HMAC_%i are made and checked', async (bits) => {
  const made = await newKey({ KeySpec: `HMAC_${bits}`, KeyUsage: 'GENERATE_VERIFY_MAC' });
  const input = { KeyId: made.KeyId, Message: PLAINTEXT, MacAlgorithm: `HMAC_SHA_${bits}` } as const;
  const { Mac } = await kms.send(new GenerateMacCommand(input));
  expect(Mac).toHaveLength(bits / 8);
  expect(await kms.send(new VerifyMacCommand({ ...input, Mac }))).toMatchObject({ MacValid: true, KeyId: made.Arn });
  for (const wrong of [randomBytes(bits / 8), randomBytes(1), randomBytes(1000)])
    expect((await failure(kms.send(new VerifyMacCommand({ ...input, Mac: wrong }))))[0]).toBe('KMSInvalidMacException');
});

test('a shared secret is encapsulated and opened', async () => {
  const { KeyId, Arn } = await newKey({ KeySpec: 'ML_KEM_768', KeyUsage: 'ENCAPSULATE_DECAPSULATE' });
  const EncapsulationAlgorithm = 'ML_KEM';
  const made = await kms.send(new EncapsulateCommand({ KeyId, EncapsulationAlgorithm }));
  const { SharedSecretCiphertextBlob } = made;
  expect([made.KeyId, made.SharedSecret?.length]).toEqual([Arn, 32]);
  const opened = await kms.send(new DecapsulateCommand({ KeyId, EncapsulationAlgorithm, SharedSecretCiphertextBlob }));
  expect(hex(opened.SharedSecret)).toBe(hex(made.SharedSecret));
  for (const length of [10, 6000]) {
    const wrong = { KeyId, EncapsulationAlgorithm, SharedSecretCiphertextBlob: randomBytes(length) } as const;
    expect((await failure(kms.send(new DecapsulateCommand(wrong))))[0]).toBe('InvalidCiphertextException');
  }
});

test('random bytes are as many as are asked for', async () => {
  expect((await kms.send(new GenerateRandomCommand({ NumberOfBytes: 1024 }))).Plaintext).toHaveLength(1024);
  expect(await failure(kms.send(new GenerateRandomCommand({})))).toEqual([
    'ValidationException',
    'NumberOfBytes is required.',
  ]);
});

test('what is not there says so, and so do keys that are not', async () => {
  const { KeyId, Arn } = await newKey();
  const alias = kms.send(new CreateAliasCommand({ AliasName: 'alias/a', TargetKeyId: KeyId }));
  expect((await failure(alias))[0]).toBe('UnsupportedOperationException');
  for (const input of [
    { KeySpec: 'SM2', KeyUsage: 'SIGN_VERIFY' },
    { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
    { MultiRegion: true },
    { Tags: [{ TagKey: 'a', TagValue: 'b' }] },
    { Policy: '{}' },
  ] as const)
    expect((await failure(newKey(input as CreateKeyCommandInput)))[0]).toBe('UnsupportedOperationException');
  const other = Arn.replace(KeyId, '11111111-1111-4111-8111-111111111111');
  const described = (name: string) => failure(kms.send(new DescribeKeyCommand({ KeyId: name })));
  expect(await described(other)).toEqual(['NotFoundException', `Key '${other}' does not exist`]);
  expect(await described(KeyId.replaceAll('-', ''))).toEqual([
    'NotFoundException',
    `Invalid keyId '${KeyId.replaceAll('-', '')}'`,
  ]);
  expect(await described(Arn.replace('us-east-1', 'eu-west-1'))).toEqual([
    'NotFoundException',
    'Invalid arn eu-west-1',
  ]);
  expect(await described('alias/none')).toEqual([
    'NotFoundException',
    `Alias ${Arn.replace(/key\/.*/, 'alias/none')} is not found.`,
  ]);
  expect((await described('arn:aws:s3:::bucket'))[0]).toBe('InvalidArnException');
  const foreign = Arn.replace(/\d{12}/, '000000000001');
  expect(await described(foreign)).toEqual(['NotFoundException', `Key '${foreign}' does not exist`]);
});

test('a role that may not do something is refused as AWS refuses', async () => {
  const { KeyId, Arn } = await newKey();
  const { client, tokenId: auditor } = await awsClient(local, 'auditor');
  const [name, message] = await failure(client.send(new EncryptCommand({ KeyId, Plaintext: PLAINTEXT })));
  expect(name).toBe('AccessDeniedException');
  const user = `arn:aws:iam::${Arn.split(':')[4]}:user/${auditor}`;
  expect(message).toMatch(`User: ${user} is not authorized to perform: kms:Encrypt on resource: ${Arn}`);
  expect((await failure(client.send(new CreateKeyCommand({}))))[0]).toBe('AccessDeniedException');
  // The one of the ciphertext is not said to be there.
  const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: PLAINTEXT }));
  expect((await failure(client.send(new DecryptCommand({ CiphertextBlob }))))[1]).toMatch(/does not exist/);
});

test('a token that is revoked signs nothing more, within a second', async () => {
  const { client, tokenId: revoked } = await awsClient(local);
  await client.send(new ListKeysCommand({}));
  expect((await local.call('POST', `/kms/v1/tokens/${revoked}/revoke`, {})).status).toBe(200);
  expect((await failure(client.send(new ListKeysCommand({}))))[0]).toBe('UnrecognizedClientException');
  expect(tokenId).not.toBe(revoked);
});
