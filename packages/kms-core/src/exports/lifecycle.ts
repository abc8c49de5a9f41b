// The states of keys and versions, and what each allows.
export { KEY_STATE_ALLOWS, VERSION_STATE_ALLOWS } from '../lifecycle/operations.ts';
export {
  KEY_EVENTS,
  KEY_TRANSITIONS,
  type KeyEvent,
  type LifecyclePosition,
  next,
  nextVersionState,
  VERSION_TRANSITIONS,
  type VersionEvent,
} from '../lifecycle/transitions.ts';
export { KEY_STATES, type KeyState, VERSION_STATES, type VersionState } from '../model/states.ts';
