import { getKey, rotateKey, updateKey } from '@qnsp/kms-core/internal';
import { awsError } from '../errors/aws-error.ts';
import { secondsOf } from '../keys/key-metadata.ts';
import { inWordsOfAws, type NamedKey, namedKey, stateRefused } from '../keys/named-key.ts';
import { keyArn, keyIdIn } from '../names/arn.ts';
import { type AwsCall, operation } from '../request/aws-call.ts';
import { KEY_ID, required } from '../request/shapes.ts';

const DAY_SECONDS = 24 * 60 * 60;
const USUAL_DAYS = 365;

/** A symmetric key that may get another version, whose state allows a change. */
async function rotatedKey(call: AwsCall, given: string): Promise<NamedKey> {
  const key = await namedKey(call, given, 'manage');
  const { arn, record, isSymmetric } = key;
  if (record.destroyAt !== null) throw stateRefused(arn, 'deactivated');
  if (record.state !== 'active') throw stateRefused(arn, record.state);
  if (!isSymmetric) throw awsError('BAD_REQUEST', 'UnsupportedOperationException');
  if (record.versions.some(({ origin }) => origin === 'imported'))
    throw awsError(
      'BAD_REQUEST',
      'UnsupportedOperationException',
      `${arn} origin is EXTERNAL which is not valid for this operation.`,
    );
  return key;
}

const enableOperation = operation({
  action: 'EnableKeyRotation',
  operation: 'updateKey',
  members: { KeyId: required(KEY_ID), RotationPeriodInDays: { kind: 'whole', min: 90, max: 2560 } },
  handle: async (call, { KeyId, RotationPeriodInDays: days = USUAL_DAYS }) => {
    const { keyId, arn } = await rotatedKey(call, KeyId);
    const rotation = { periodSeconds: days * DAY_SECONDS, auto: true };
    await inWordsOfAws(call, arn, () => updateKey(call.op, { keyId, rotation }));
    return undefined;
  },
});

const disableOperation = operation({
  action: 'DisableKeyRotation',
  operation: 'updateKey',
  members: { KeyId: required(KEY_ID) },
  handle: async (call, { KeyId }) => {
    const { keyId, arn } = await rotatedKey(call, KeyId);
    await inWordsOfAws(call, arn, () => updateKey(call.op, { keyId, rotation: { auto: false, periodSeconds: null } }));
    return undefined;
  },
});

const statusOperation = operation({
  action: 'GetKeyRotationStatus',
  operation: 'getKey',
  members: { KeyId: required(KEY_ID) },
  handle: async (call, { KeyId }) => {
    const keyId = keyIdIn(KeyId, call.place, false);
    const { arn, record } = await namedKey(call, KeyId, 'manage');
    const { rotation } = await inWordsOfAws(call, keyArn(call.place, keyId), () => getKey(call.op, { keyId }));
    const { periodSeconds } = record.rotation;
    if (!rotation.autoRotate || periodSeconds === null) return { KeyId: arn, KeyRotationEnabled: false };
    const { nextRotationAt } = rotation;
    return {
      KeyId: arn,
      KeyRotationEnabled: true,
      RotationPeriodInDays: Math.ceil(periodSeconds / DAY_SECONDS),
      ...(nextRotationAt === null ? {} : { NextRotationDate: secondsOf(nextRotationAt) }),
    };
  },
});

const rotateOperation = operation({
  action: 'RotateKeyOnDemand',
  operation: 'rotateKey',
  members: { KeyId: required(KEY_ID) },
  handle: async (call, { KeyId }) => {
    const { keyId, arn } = await rotatedKey(call, KeyId);
    await inWordsOfAws(call, arn, () => rotateKey(call.op, { keyId }));
    return { KeyId: arn };
  },
});

/** What gives keys new versions, and says when. */
export const ROTATION = [enableOperation, disableOperation, statusOperation, rotateOperation];
