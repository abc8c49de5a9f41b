import type { AwsOperation } from '../request/aws-call.ts';
import { DELETION } from './deletion.ts';
import { ENCRYPTION } from './encryption.ts';
import { KEYS } from './keys.ts';
import { ROTATION } from './rotation.ts';
import { SECRETS } from './secrets.ts';
import { SIGNATURES } from './signatures.ts';

/** The operations that are there, by the name that AWS gives them. */
export const AWS_OPERATIONS: ReadonlyMap<string, AwsOperation> = new Map(
  [...KEYS, ...DELETION, ...ROTATION, ...ENCRYPTION, ...SIGNATURES, ...SECRETS].map((each) => [each.action, each]),
);

/** The operations of AWS KMS that are not there. */
export const NOT_OFFERED: ReadonlySet<string> = new Set([
  'ConnectCustomKeyStore',
  'CreateAlias',
  'CreateCustomKeyStore',
  'CreateGrant',
  'DeleteAlias',
  'DeleteCustomKeyStore',
  'DeleteImportedKeyMaterial',
  'DeriveSharedSecret',
  'DescribeCustomKeyStores',
  'DisableKey',
  'DisconnectCustomKeyStore',
  'EnableKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GetKeyLastUsage',
  'GetKeyPolicy',
  'GetParametersForImport',
  'ImportKeyMaterial',
  'ListAliases',
  'ListGrants',
  'ListKeyPolicies',
  'ListKeyRotations',
  'ListResourceTags',
  'ListRetirableGrants',
  'PutKeyPolicy',
  'ReplicateKey',
  'RetireGrant',
  'RevokeGrant',
  'TagResource',
  'UntagResource',
  'UpdateAlias',
  'UpdateCustomKeyStore',
  'UpdatePrimaryRegion',
]);
