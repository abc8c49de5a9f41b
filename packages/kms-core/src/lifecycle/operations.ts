import { CRYPTO_OPERATIONS, type CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { KeyState, VersionState } from '../model/states.ts';

/** The operations that process what a key protected earlier, as opposed to protecting something new. */
export const PROCESSING: ReadonlySet<CryptoOperation> = new Set<CryptoOperation>([
  'decrypt',
  'verify',
  'unwrap',
  'mac-verify',
  'decapsulate',
]);

const all = new Set<CryptoOperation>(CRYPTO_OPERATIONS);
const none = new Set<CryptoOperation>();

/** State of a key × operation: what is in the set is allowed. */
export const KEY_STATE_ALLOWS: Readonly<Record<KeyState, ReadonlySet<CryptoOperation>>> = {
  active: all,
  suspended: PROCESSING,
  deactivated: none,
  revoked: none,
  destroyed: none,
};

/**
 * State of a version × operation: what is in the set is allowed. Key agreement is tied to the peer, not to time. A MAC under a superseded
 * version, which a caller has to name, is computed to be compared with an earlier one, which is processing (SP 800-57 Part 1 Rev. 5, 5.3.5).
 */
export const VERSION_STATE_ALLOWS: Readonly<Record<VersionState, ReadonlySet<CryptoOperation>>> = {
  active: all,
  'decrypt-only': new Set<CryptoOperation>([...PROCESSING, 'derive', 'mac']),
  deactivated: none,
  destroyed: none,
};
