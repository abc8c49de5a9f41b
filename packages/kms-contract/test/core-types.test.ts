import type {
  ListApiTokensResult,
  CreateApiTokenInput,
  CreatedApiToken,
  CreateDataKeyInput,
  CreateDataKeyResult,
  CreateKeyInput,
  CreateTenantInput,
  DecapsulateInput,
  DecapsulateResult,
  DecryptInput,
  DecryptResult,
  DeriveInput,
  DeriveResult,
  EncapsulateResult,
  EncryptInput,
  EncryptResult,
  ImportKeyInput,
  KeyDescription,
  ListKeysResult,
  MacInput,
  MacResult,
  PolicyDocument,
  ReencryptInput,
  RotationSchedules,
  SignatureOptions,
  SignResult,
  TenantDescription,
  UnwrapInput,
  UnwrapResult,
  UpdateKeyInput,
  VerifyMacInput,
  VersionMatch,
  WrapInput,
  WrapResult,
} from '@qnsp/kms-core';
import type { CreateIdentityBindingInput, DenyIdentityInput } from '@qnsp/kms-core/internal';
import { expectTypeOf, it } from 'vitest';
import type { OperationId, RequestOf, ResponseOf } from '../src/index.ts';
import type { CryptoOperationId } from '../src/routes/index.ts';

type BodyOf<Id extends OperationId> = RequestOf<Id>['body'];

// The compiler checks these when the package is type-checked; running them only shows that they are there.
it('hands the core requests that it takes as they are', () => {
  expectTypeOf<BodyOf<'createKey'>>().toExtend<CreateKeyInput>();
  expectTypeOf<BodyOf<'importKey'>>().toExtend<ImportKeyInput>();
  expectTypeOf<BodyOf<'updateKey'>>().toExtend<Omit<UpdateKeyInput, 'keyId'>>();
  expectTypeOf<BodyOf<'putKeyPolicy'>>().toExtend<{ policy: PolicyDocument }>();
  expectTypeOf<BodyOf<'encrypt'>>().toExtend<EncryptInput>();
  expectTypeOf<BodyOf<'decrypt'>>().toExtend<DecryptInput>();
  expectTypeOf<BodyOf<'reencrypt'>>().toExtend<ReencryptInput>();
  expectTypeOf<BodyOf<'sign'>>().toExtend<SignatureOptions & { keyId: string; data: Uint8Array }>();
  expectTypeOf<BodyOf<'verify'>>().toExtend<
    SignatureOptions & { keyId: string; data: Uint8Array; signature: Uint8Array; keyVersion?: number }
  >();
  expectTypeOf<BodyOf<'wrap'>>().toExtend<WrapInput>();
  expectTypeOf<BodyOf<'unwrap'>>().toExtend<UnwrapInput>();
  expectTypeOf<BodyOf<'createDataKey'>>().toExtend<CreateDataKeyInput>();
  expectTypeOf<BodyOf<'mac'>>().toExtend<MacInput>();
  expectTypeOf<BodyOf<'verifyMac'>>().toExtend<VerifyMacInput>();
  expectTypeOf<BodyOf<'decapsulate'>>().toExtend<DecapsulateInput>();
  expectTypeOf<BodyOf<'derive'>>().toExtend<DeriveInput>();
  expectTypeOf<BodyOf<'createToken'>>().toExtend<CreateApiTokenInput>();
  expectTypeOf<BodyOf<'createIdentityBinding'>>().toExtend<CreateIdentityBindingInput>();
  expectTypeOf<BodyOf<'denyIdentity'>>().toExtend<DenyIdentityInput>();
  expectTypeOf<BodyOf<'createTenant'>>().toExtend<CreateTenantInput>();
  expectTypeOf<RequestOf<'getKey'>['params']>().toEqualTypeOf<{ readonly keyId: string }>();
  expectTypeOf<RequestOf<'encrypt'>['params']>().toEqualTypeOf<Readonly<Record<string, never>>>();
});

it('answers with what the core returns as it is', () => {
  expectTypeOf<KeyDescription>().toExtend<ResponseOf<'createKey'>>();
  expectTypeOf<ListKeysResult>().toExtend<ResponseOf<'listKeys'>>();
  expectTypeOf<PolicyDocument>().toExtend<ResponseOf<'getKeyPolicy'>>();
  expectTypeOf<EncryptResult>().toExtend<ResponseOf<'encrypt'>>();
  expectTypeOf<DecryptResult>().toExtend<ResponseOf<'decrypt'>>();
  expectTypeOf<EncryptResult>().toExtend<ResponseOf<'reencrypt'>>();
  expectTypeOf<SignResult>().toExtend<ResponseOf<'sign'>>();
  expectTypeOf<VersionMatch>().toExtend<ResponseOf<'verify'>>();
  expectTypeOf<WrapResult>().toExtend<ResponseOf<'wrap'>>();
  expectTypeOf<UnwrapResult>().toExtend<ResponseOf<'unwrap'>>();
  expectTypeOf<CreateDataKeyResult>().toExtend<ResponseOf<'createDataKey'>>();
  expectTypeOf<MacResult>().toExtend<ResponseOf<'mac'>>();
  expectTypeOf<VersionMatch>().toExtend<ResponseOf<'verifyMac'>>();
  expectTypeOf<EncapsulateResult>().toExtend<ResponseOf<'encapsulate'>>();
  expectTypeOf<DecapsulateResult>().toExtend<ResponseOf<'decapsulate'>>();
  expectTypeOf<DeriveResult>().toExtend<ResponseOf<'derive'>>();
  expectTypeOf<RotationSchedules>().toExtend<ResponseOf<'listRotationSchedules'>>();
  expectTypeOf<CreatedApiToken>().toExtend<ResponseOf<'createToken'>>();
  expectTypeOf<ListApiTokensResult>().toExtend<ResponseOf<'listTokens'>>();
  expectTypeOf<TenantDescription>().toExtend<ResponseOf<'createTenant'>>();
});

it('knows which operations use a key', () => {
  expectTypeOf<CryptoOperationId>().toEqualTypeOf<
    | 'encrypt'
    | 'decrypt'
    | 'reencrypt'
    | 'sign'
    | 'verify'
    | 'mac'
    | 'verifyMac'
    | 'wrap'
    | 'unwrap'
    | 'createDataKey'
    | 'encapsulate'
    | 'decapsulate'
    | 'derive'
  >();
});
