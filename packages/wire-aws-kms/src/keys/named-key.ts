import { type KeyId, KmsError, type KmsErrorCode } from '@qnsp/kms-core';
import { describeRequest, type KeyRecord, requireAccess } from '@qnsp/kms-core/internal';
import { awsError } from '../errors/aws-error.ts';
import { keyArn, keyIdIn, noSuchKey, userArn } from '../names/arn.ts';
import { type AwsCall, permissionOf } from '../request/aws-call.ts';
import { type KindOfKey, kindOf, type KeyUsage } from './key-specs.ts';

/** What is done with a key: protects something new, reads what was protected, or none of it. */
export type KeyUse = 'protect' | 'process' | 'manage';

/** A key that a call names and its caller may use. */
export interface NamedKey extends KindOfKey {
  readonly keyId: KeyId;
  readonly arn: string;
  readonly record: KeyRecord;
}

/**
 * The key that a call names, once it is known that the caller may do so with it and that its state allows it, in the order in which AWS asks.
 * Only where a key is used does the name of an alias do.
 *
 * @throws KmsError `NOT_FOUND`, `FORBIDDEN`, `KEY_STATE_INVALID`, as AWS names them
 */
export function namedKey(
  call: AwsCall,
  given: string,
  use: KeyUse,
  contexts: readonly (Readonly<Record<string, string>> | undefined)[] = [],
): Promise<NamedKey> {
  return loadedKey(call, keyIdIn(given, call.place, use !== 'manage'), use, contexts);
}

/** As {@link namedKey}, of the key with an id. */
export async function loadedKey(
  call: AwsCall,
  keyId: KeyId,
  use: KeyUse,
  contexts: readonly (Readonly<Record<string, string>> | undefined)[] = [],
): Promise<NamedKey> {
  const { op, place } = call;
  const { kms, caller, evidence } = op;
  const arn = keyArn(place, keyId);
  if (evidence !== undefined) {
    const context = Object.fromEntries(contexts.flatMap((each = {}) => Object.entries(each)));
    describeRequest(evidence, { params: { keyId }, body: { context } });
  }
  return inWordsOfAws(call, arn, async () => {
    const { record } = await kms.keyRing.load(caller.tenantId, keyId);
    await requireAccess(op, { keyId, permission: permissionOf(call) });
    requireState(arn, record, use);
    return { keyId, arn, record, ...kindOf(record.algorithm, record.purpose) };
  });
}

/** Says the errors of the core that are about a key as AWS does. */
export async function inWordsOfAws<T>(call: AwsCall, arn: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!KmsError.is(error) || error.details?.['aws'] !== undefined) throw error;
    throw IN_WORDS[error.code]?.(error, arn, call) ?? error;
  }
}

const IN_WORDS: Partial<Record<KmsErrorCode, (error: KmsError, arn: string, call: AwsCall) => Error>> = {
  NOT_FOUND: (error, arn) => noSuchKey(arn, error),
  FORBIDDEN: (error, arn, { place, op, action }) =>
    awsError(
      'FORBIDDEN',
      'AccessDeniedException',
      `User: ${userArn(place, op.caller.subject)} is not authorized to perform: kms:${action} on resource: ${arn} because neither its role nor the policy of the key allows the action`,
      error,
    ),
  // That a key was used lately is nothing that AWS has words for: the message of the service says what to do.
  KEY_STATE_INVALID: (error, arn) =>
    error.details?.['lastUse'] === undefined ? stateRefused(arn, String(error.details?.['state']), error) : error,
};

function requireState(arn: string, { state }: KeyRecord, use: KeyUse): void {
  if (state === 'destroyed') throw noSuchKey(arn);
  if (use === 'manage' || state === 'active' || (state === 'suspended' && use === 'process')) return;
  throw stateRefused(arn, state);
}

/** The error for a key whose state forbids what is asked for. */
export function stateRefused(arn: string, state: string, cause?: unknown): Error {
  if (state === 'destroyed') return noSuchKey(arn, cause);
  if (state === 'suspended') return awsError('KEY_STATE_INVALID', 'DisabledException', `${arn} is disabled.`, cause);
  const is = state === 'deactivated' ? 'pending deletion' : state;
  return awsError('KEY_STATE_INVALID', 'KMSInvalidStateException', `${arn} is ${is}.`, cause);
}

/** Throws unless a key is for this. */
export function requireUsage({ action }: AwsCall, { arn, usage }: NamedKey, wanted: KeyUsage): void {
  if (usage === wanted) return;
  throw awsError(
    'BAD_REQUEST',
    'InvalidKeyUsageException',
    `${arn} key usage is ${usage} which is not valid for ${action}.`,
  );
}

/** Throws unless a key has this algorithm. */
export function requireAlgorithm({ spec, algorithms }: NamedKey, algorithm: string): void {
  if (algorithms.includes(algorithm)) return;
  throw awsError(
    'BAD_REQUEST',
    'InvalidKeyUsageException',
    `Algorithm ${algorithm} is incompatible with key spec ${spec}.`,
  );
}
