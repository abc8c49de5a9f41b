import { readPrivateKeyInfo, readPublicKeyInfo } from './key-containers.ts';
import { demand, RefusedMaterial } from './refused-material.ts';

/** The lengths that a secret key may have. */
export interface SecretLengths {
  readonly minimumBytes: number;
  readonly maximumBytes: number;
}

/**
 * Holds a secret key against the lengths of its algorithm. Where those leave a choice, the container of another key is
 * refused as well: as a secret it is a mistake, and where it holds a public key one that anybody could use.
 *
 * @throws RefusedMaterial
 */
export function demandSecret(material: Uint8Array, { minimumBytes, maximumBytes }: SecretLengths): void {
  const { length } = material;
  if (minimumBytes === maximumBytes) {
    demand(length === minimumBytes, `the secret must have ${minimumBytes} bytes, not ${length}`);
    return;
  }
  demand(
    length >= minimumBytes && length <= maximumBytes,
    `the secret must have ${minimumBytes} to ${maximumBytes} bytes, not ${length}`,
  );
  demand(!isPem(material), 'the material is a PEM file and not a secret');
  for (const read of [readPrivateKeyInfo, readPublicKeyInfo])
    demand(!isTaken(read, material), 'the material is the container of a private or public key and not a secret');
}

function isPem(material: Uint8Array): boolean {
  return Buffer.from(material.buffer, material.byteOffset, material.byteLength).includes('-----BEGIN ');
}

function isTaken(read: (der: Uint8Array) => unknown, material: Uint8Array): boolean {
  try {
    read(material);
    return true;
  } catch (error) {
    if (error instanceof RefusedMaterial) return false;
    throw error;
  }
}
