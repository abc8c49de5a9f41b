import { KmsError } from '../errors/kms-error.ts';
import type { KeyState, VersionState } from '../model/states.ts';

/**
 * What can happen to a key. `purge` is the end of the waiting period, `shred` the destruction that does not wait;
 * `condemn` takes a key in an HSM permanently out of use before its objects are destroyed.
 */
export const KEY_EVENTS = [
  'update',
  'rotate',
  'upgrade',
  'retire',
  'suspend',
  'resume',
  'revoke',
  'destroy',
  'restore',
  'condemn',
  'purge',
  'shred',
] as const;
/** One of {@link KEY_EVENTS}. */
export type KeyEvent = (typeof KEY_EVENTS)[number];

/** `prior` is the state in which the key was when its destruction was scheduled. */
type Target = KeyState | 'prior';

/**
 * The one transition table. What is absent is illegal. A revoked key stays revoked until it is destroyed, even while
 * its destruction is scheduled; `destroyed` is terminal.
 */
export const KEY_TRANSITIONS: Readonly<Record<KeyState, Readonly<Partial<Record<KeyEvent, Target>>>>> = {
  active: {
    update: 'active',
    rotate: 'active',
    upgrade: 'active',
    retire: 'active',
    suspend: 'suspended',
    revoke: 'revoked',
    destroy: 'deactivated',
    condemn: 'deactivated',
    shred: 'destroyed',
  },
  suspended: {
    update: 'suspended',
    retire: 'suspended',
    resume: 'active',
    revoke: 'revoked',
    destroy: 'deactivated',
    condemn: 'deactivated',
    shred: 'destroyed',
  },
  deactivated: {
    restore: 'prior',
    revoke: 'revoked',
    condemn: 'deactivated',
    purge: 'destroyed',
    shred: 'destroyed',
  },
  revoked: {
    destroy: 'revoked',
    restore: 'revoked',
    condemn: 'revoked',
    purge: 'destroyed',
    shred: 'destroyed',
  },
  destroyed: {},
};

/** The fields of a key that decide where an event leads. */
export interface LifecyclePosition {
  readonly state: KeyState;
  /** The state to return to when a scheduled destruction is cancelled. */
  readonly stateBeforeDestroy: 'active' | 'suspended' | null;
  /** When the key will be destroyed, if its destruction is scheduled. */
  readonly destroyAt: Date | null;
}

/**
 * The state after an event.
 *
 * @throws KmsError `KEY_STATE_INVALID` when the event is illegal in this state.
 * @example
 * import { next } from '@qnsp/kms-core/lifecycle';
 * console.log(next({ state: 'active', stateBeforeDestroy: null, destroyAt: null }, 'suspend')); // suspended
 */
export function next(position: LifecyclePosition, event: KeyEvent): KeyState {
  const target = KEY_TRANSITIONS[position.state][event];
  const scheduled = position.destroyAt !== null;
  if (
    target === undefined ||
    ((event === 'restore' || event === 'purge') && !scheduled) ||
    (event === 'destroy' && scheduled)
  ) {
    throw new KmsError(
      'KEY_STATE_INVALID',
      `The key is ${position.state}${scheduled ? ' with its destruction scheduled' : ''}: ${event} is not possible.`,
      {
        details: { state: position.state, event },
      },
    );
  }
  if (target !== 'prior') return target;
  if (position.stateBeforeDestroy === null) {
    throw new KmsError('INTERNAL_ERROR', 'The key does not know the state to return to.');
  }
  return position.stateBeforeDestroy;
}

/** What can happen to a version: a newer one takes over, it is retired, or its material is destroyed. */
export type VersionEvent = 'supersede' | 'retire' | 'destroy';

/** State of a version × what happens to it: the state after that. What is not in it cannot happen. */
export const VERSION_TRANSITIONS: Readonly<
  Record<VersionState, Readonly<Partial<Record<VersionEvent, VersionState>>>>
> = {
  active: { supersede: 'decrypt-only', destroy: 'destroyed' },
  'decrypt-only': { retire: 'deactivated', destroy: 'destroyed' },
  deactivated: { destroy: 'destroyed' },
  destroyed: {},
};

/** The state of a version after an event. */
export function nextVersionState(state: VersionState, event: VersionEvent): VersionState {
  const target = VERSION_TRANSITIONS[state][event];
  if (target === undefined) {
    throw new KmsError('KEY_STATE_INVALID', `A version that is ${state} cannot ${event}.`, {
      details: { state, event },
    });
  }
  return target;
}
