import { expect } from 'vitest';
import type { KmsErrorCode } from '../src/errors/kms-error.ts';
import type { Algorithm } from '../src/algorithms/registry.ts';
import type { KeyEngine } from '../src/engines/engine.ts';
import { softwareEngine } from '../src/engines/software-engine.ts';
import { generateMaterial, type LoadedMaterial, loadMaterial } from '../src/engines/software-material.ts';

/** A copy with one bit changed, counted from the first bit of the first byte. */
export function flipBit(data: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(data);
  const at = Math.floor(bit / 8);
  copy[at] = (copy[at] ?? 0) ^ (0x80 >> (bit % 8));
  return copy;
}

/** A matcher for the error of this code. */
export function failure(code: KmsErrorCode): Error {
  // Vitest gives matchers no type; `toThrow` takes one in the place of an error.
  const matcher: unknown = expect.objectContaining({ code });
  return matcher as Error;
}

/** An engine over fresh material, in which every method is there; one that the algorithm lacks throws. */
export interface FreshKey {
  readonly engine: Required<KeyEngine>;
  readonly material: LoadedMaterial;
  /** SubjectPublicKeyInfo in DER, of key pairs. */
  readonly publicKey: Uint8Array;
}

/** Generates a key as the KMS does: generate, then load what would have been sealed. */
export async function freshKey(algorithm: Algorithm): Promise<FreshKey> {
  const { secret, publicKey } = await generateMaterial(algorithm);
  const material = loadMaterial(algorithm, secret);
  return { engine: complete(softwareEngine(algorithm, material)), material, publicKey: publicKey ?? Buffer.alloc(0) };
}

/** The engine with a method in every place, so that a test need not ask first. */
export function complete(engine: KeyEngine): Required<KeyEngine> {
  const missing = () => {
    throw new TypeError('the engine lacks this operation');
  };
  return {
    seal: missing,
    open: missing,
    sealAll: missing,
    openAll: missing,
    openLegacy: missing,
    sign: missing,
    verify: missing,
    mac: missing,
    verifyMac: missing,
    encapsulate: missing,
    decapsulate: missing,
    agree: missing,
    ...engine,
  };
}
