import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { mixRandom } from './mix-random.ts';

/** Bits that are one, as a share. A stuck or cancelled generator is far from a half. */
function ones(bytes: Uint8Array): number {
  const count = bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  return count / (bytes.length * 8);
}

describe('mixRandom', () => {
  it.each([1, 32, 48, 16_320, 16_321, 65_536])('answers %i bytes that look random', async (length) => {
    const random = mixRandom((bytes) => Promise.resolve(randomBytes(bytes)));
    const bytes = await random(length);
    expect(bytes).toHaveLength(length);
    if (length > 1000) expect(Math.abs(ones(bytes) - 0.5)).toBeLessThan(0.02);
  });

  it('is as random as before when the HSM always gives the same bytes, and says so', async () => {
    const missing: unknown[] = [];
    const random = mixRandom((bytes) => Promise.resolve(Buffer.alloc(bytes)), {
      onMissing: (reason) => missing.push(reason),
    });
    const drawn = await Promise.all(Array.from({ length: 50 }, () => random(32)));
    expect(new Set(drawn.map((bytes) => bytes.toString('hex'))).size).toBe(50);
    expect(Math.abs(ones(Buffer.concat(drawn)) - 0.5)).toBeLessThan(0.05);
    expect(missing).not.toHaveLength(0);
  });

  it('goes on without the HSM when it gives nothing, or too little, and says so', async () => {
    const failure = new Error('gone');
    for (const hsm of [() => Promise.reject(failure), () => Promise.resolve(randomBytes(3))]) {
      const missing: unknown[] = [];
      const random = mixRandom(hsm, { onMissing: (reason) => missing.push(reason) });
      expect(await random(32)).toHaveLength(32);
      expect(missing).toHaveLength(1);
    }
  });

  it('really takes the bytes of the HSM in', async () => {
    // With the bytes of the operating system held still, only the HSM's can make a difference.
    const fixed = (bytes: number): Buffer => Buffer.alloc(bytes, 1);
    const mixed = (fill: number) => mixRandom((bytes) => Promise.resolve(Buffer.alloc(bytes, fill)), { os: fixed })(32);
    const first = await mixed(2);
    expect(await mixed(2)).toEqual(first);
    expect(await mixed(3)).not.toEqual(first);
    expect(first).not.toEqual(fixed(32));
  });
});
