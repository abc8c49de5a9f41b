/** The operations that use key material. */
export const CRYPTO_OPERATIONS = [
  'encrypt',
  'decrypt',
  'reencrypt',
  'sign',
  'verify',
  'wrap',
  'unwrap',
  'data-key',
  'mac',
  'mac-verify',
  'encapsulate',
  'decapsulate',
  'derive',
] as const;
export type CryptoOperation = (typeof CRYPTO_OPERATIONS)[number];

export const KEY_STATES = ['active', 'suspended', 'deactivated', 'revoked', 'destroyed'] as const;
/**
 * The state of a key. In the terms of SP 800-57 Part 1 Rev. 5, section 7: `active`; `suspended`; `deactivated` (pending
 * destruction); `revoked` is compromised or otherwise permanently withdrawn; `destroyed` has no material left.
 */
export type KeyState = (typeof KEY_STATES)[number];

export const VERSION_STATES = ['active', 'decrypt-only', 'deactivated', 'destroyed'] as const;
/** The state of one version: `decrypt-only` still processes what it protected, `deactivated` was retired. */
export type VersionState = (typeof VERSION_STATES)[number];

/** The operations that process what a key protected earlier, as opposed to protecting something new. */
const PROCESSING: readonly CryptoOperation[] = ['decrypt', 'verify', 'unwrap', 'mac-verify', 'decapsulate'];

const all = new Set<CryptoOperation>(CRYPTO_OPERATIONS);
const processing = new Set<CryptoOperation>(PROCESSING);
const none = new Set<CryptoOperation>();

/** State of a key × operation: what is in the set is allowed. */
export const KEY_STATE_ALLOWS: Readonly<Record<KeyState, ReadonlySet<CryptoOperation>>> = {
  active: all,
  suspended: processing,
  deactivated: none,
  revoked: none,
  destroyed: none,
};

/** State of a version × operation: what is in the set is allowed. Key agreement is tied to the peer, not to time. */
export const VERSION_STATE_ALLOWS: Readonly<Record<VersionState, ReadonlySet<CryptoOperation>>> = {
  active: all,
  'decrypt-only': new Set<CryptoOperation>([...PROCESSING, 'derive']),
  deactivated: none,
  destroyed: none,
};
