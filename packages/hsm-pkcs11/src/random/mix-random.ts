import { hkdfSync, randomBytes } from 'node:crypto';

const SEED_BYTES = 48;
/** RFC 5869, section 2.3: at most 255 blocks of SHA-512. */
const CHUNK_BYTES = 255 * 64;
const INFO = 'qnsp-kms/v1/mix-random';

/** How two sources of random bytes are mixed. */
export interface MixedRandomOptions {
  /** Called when the HSM gave nothing, or the same bytes again; then only the operating system's generator is used. */
  readonly onMissing?: (reason: unknown) => void;
  /** The operating system's generator, for tests to replace. */
  readonly os?: (bytes: number) => Buffer;
}

/**
 * Random bytes from the operating system's generator and an HSM's together:
 * `os ⊕ HKDF-SHA-512(ikm = hsm, salt = os', info = label)` with independent `os` and `os'`. The result is as
 * unpredictable as the better of the two: `os` masks whatever the HSM gives, and what the HSM gives masks `os`.
 *
 * @param hsm asks the HSM for this many bytes
 * @returns a function that never fails for lack of the HSM
 * @example
 * import { mixRandom, openHsm } from '@qnsp/hsm-pkcs11';
 * const hsm = await openHsm({ modulePath, slot, pin });
 * const random = mixRandom((bytes) => hsm.random(bytes));
 * console.log((await random(32)).length); // 32
 * await hsm.close();
 */
export function mixRandom(
  hsm: (bytes: number) => Promise<Uint8Array>,
  options: MixedRandomOptions = {},
): (bytes: number) => Promise<Buffer> {
  const os = options.os ?? randomBytes;
  let previous: Buffer = Buffer.alloc(0);

  const seed = async (): Promise<Uint8Array | null> => {
    try {
      const bytes = await hsm(SEED_BYTES);
      if (bytes.length !== SEED_BYTES) throw new Error('The HSM did not return the number of random bytes asked for.');
      // The continuous test: a generator that is stuck repeats itself.
      if (previous.equals(bytes)) throw new Error('The random generator of the HSM repeats itself.');
      previous = Buffer.from(bytes);
      return bytes;
    } catch (error) {
      options.onMissing?.(error);
      return null;
    }
  };

  return async (bytes) => {
    const random = os(bytes);
    const ikm = await seed();
    if (ikm === null) return random;
    for (let start = 0; start < bytes; start += CHUNK_BYTES) {
      const part = random.subarray(start, start + CHUNK_BYTES);
      const mask = Buffer.from(hkdfSync('sha512', ikm, os(64), INFO, part.length));
      for (const [index, byte] of mask.entries()) part[index] = (part[index] ?? 0) ^ byte;
      mask.fill(0);
    }
    ikm.fill(0);
    return random;
  };
}
