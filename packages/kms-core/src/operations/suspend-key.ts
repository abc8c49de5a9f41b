import type { Caller } from '../access/caller.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey } from './change-key.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { Kms } from './kms.ts';

/** Lets a key only decrypt, verify and unwrap, until it is resumed. */
export function suspendKey(kms: Kms, caller: Caller, input: ChangeRequest): Promise<KeyDescription> {
  return changeKey(kms, caller, input, OPERATIONS.suspendKey.permission, 'suspend', () => ({}), {
    isDone: ({ state }) => state === 'suspended',
  });
}

/** Makes a suspended key active again. */
export function resumeKey(kms: Kms, caller: Caller, input: ChangeRequest): Promise<KeyDescription> {
  return changeKey(kms, caller, input, OPERATIONS.resumeKey.permission, 'resume', () => ({}), {
    isDone: ({ state }) => state === 'active',
  });
}
