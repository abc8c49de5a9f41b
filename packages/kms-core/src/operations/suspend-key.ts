import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey } from './change-key.ts';
import type { Operation } from './operation.ts';

/** Lets a key only decrypt, verify and unwrap, until it is resumed. */
export function suspendKey(op: Operation, input: ChangeRequest): Promise<KeyDescription> {
  return changeKey(op, OPERATIONS.suspendKey, input, () => ({}), { isDone: ({ state }) => state === 'suspended' });
}

/** Makes a suspended key active again. */
export function resumeKey(op: Operation, input: ChangeRequest): Promise<KeyDescription> {
  return changeKey(op, OPERATIONS.resumeKey, input, () => ({}), { isDone: ({ state }) => state === 'active' });
}
