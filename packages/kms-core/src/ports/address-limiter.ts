/** Holds addresses to how many credentials that do not hold they may present. Decides in memory, without a promise. */
export interface AddressLimiter {
  /** Whether any address may be over its limit: while none is, nobody asks from which address a call comes. */
  readonly isAlert: boolean;
  /**
   * Lets a call of an address be authenticated.
   *
   * @throws KmsError `TOO_MANY_REQUESTS` while the address is over its limit, with when to come again
   */
  admit(address: string): void;
  /** A credential that this address presented does not hold. */
  failed(address: string): void;
}
