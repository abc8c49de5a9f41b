/**
 * Holds a root key and does the only two things that a root key does: it wraps and unwraps tenant master keys.
 * The root key itself never crosses this port.
 *
 * Contract (`testing/root-provider-contract.ts`): `unwrap(wrap(k, aad), aad)` is `k`; another `aad` or a changed byte
 * is `DECRYPT_FAILED`; a root that can't be reached is `HSM_UNAVAILABLE`, one that is missing or not as a root must be
 * is `SEALED`; the check value is the same for the same root forever and different for another root, and says nothing
 * about it.
 */
export interface RootProvider {
  /** Names the provider in wraps and in diagnosis, e.g. `software` or `hsm-a`. Stable across restarts. */
  readonly id: string;
  readonly kind: 'software' | 'hsm';
  /** A value by which a wrong root is recognised before it does harm, in hexadecimal. */
  checkValue(): Promise<string>;
  wrap(key: Uint8Array, aad: Uint8Array): Promise<Uint8Array>;
  /** Answers 32 bytes, which the caller wipes. */
  unwrap(wrapped: Uint8Array, aad: Uint8Array): Promise<Uint8Array>;
}
