/**
 * A store of bytes that nodes share to spare the database. A hint: it may forget, hand out old or foreign bytes or be
 * gone; what it holds is sealed, and the core decides what it believes.
 *
 * Contract (`testing/shared-cache-contract.ts`): no call throws, and none takes longer than a few milliseconds whatever
 * the other side does.
 */
export interface SharedCache {
  /** What was last put under the name, as far as this is known in time. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Puts bytes for a time, without waiting. */
  put(name: string, bytes: Uint8Array): void;
}
