import { destroyKey, restoreKey } from '@qnsp/kms-core/internal';
import { awsError } from '../errors/aws-error.ts';
import { secondsOf } from '../keys/key-metadata.ts';
import { inWordsOfAws, namedKey, stateRefused } from '../keys/named-key.ts';
import { operation } from '../request/aws-call.ts';
import { KEY_ID, required } from '../request/shapes.ts';

const DAYS = { kind: 'whole', min: 7, max: 30 } as const;
const USUAL_DAYS = 30;

const scheduleOperation = operation({
  action: 'ScheduleKeyDeletion',
  operation: 'destroyKey',
  members: { KeyId: required(KEY_ID), PendingWindowInDays: DAYS },
  handle: async (call, { KeyId, PendingWindowInDays: pendingDays = USUAL_DAYS }) => {
    const { keyId, arn, record } = await namedKey(call, KeyId, 'manage');
    if (record.destroyAt !== null) throw stateRefused(arn, 'deactivated');
    const { destroyAt } = await inWordsOfAws(call, arn, () => destroyKey(call.op, { keyId, pendingDays }));
    return {
      KeyId: arn,
      ...(destroyAt === null ? {} : { DeletionDate: secondsOf(destroyAt) }),
      KeyState: 'PendingDeletion',
      PendingWindowInDays: pendingDays,
    };
  },
});

const cancelOperation = operation({
  action: 'CancelKeyDeletion',
  operation: 'restoreKey',
  members: { KeyId: required(KEY_ID) },
  handle: async (call, { KeyId }) => {
    const { keyId, arn, record } = await namedKey(call, KeyId, 'manage');
    if (record.destroyAt === null)
      throw awsError('KEY_STATE_INVALID', 'KMSInvalidStateException', `${arn} is not pending deletion.`);
    await inWordsOfAws(call, arn, () => restoreKey(call.op, { keyId }));
    return { KeyId: arn };
  },
});

/** What schedules the end of keys. */
export const DELETION = [scheduleOperation, cancelOperation];
