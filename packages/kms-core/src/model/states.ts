/** The states of a key (NIST SP 800-57, part 1, section 7). */
export const KEY_STATES = ['active', 'suspended', 'deactivated', 'revoked', 'destroyed'] as const;
/**
 * The state of a key. In the terms of SP 800-57 Part 1 Rev. 5, section 7: `active`; `suspended`; `deactivated` (pending
 * destruction); `revoked` is compromised or otherwise permanently withdrawn; `destroyed` has no material left.
 */
export type KeyState = (typeof KEY_STATES)[number];

/** Every state of a version. */
export const VERSION_STATES = ['active', 'decrypt-only', 'deactivated', 'destroyed'] as const;
/** The state of one version: `decrypt-only` still processes what it protected, `deactivated` was retired. */
export type VersionState = (typeof VERSION_STATES)[number];
