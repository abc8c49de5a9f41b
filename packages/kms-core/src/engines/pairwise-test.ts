import { randomBytes } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import type { KeyEngine } from './engine.ts';

/**
 * The pairwise consistency test of FIPS 140-3 (IG 10.3.A): what the private half makes, the public half accepts. Runs on
 * every new key pair before it is stored.
 *
 * @throws KmsError `INTERNAL_ERROR` when the halves do not belong together.
 */
export async function pairwiseTest(engine: KeyEngine): Promise<void> {
  const message = randomBytes(32);
  if (engine.sign !== undefined && engine.verify !== undefined) {
    const signature = await engine.sign(message, {});
    assertConsistent(await engine.verify(message, signature, {}));
  }
  if (engine.encapsulate !== undefined && engine.decapsulate !== undefined) {
    const { sharedSecret, ciphertext } = await engine.encapsulate();
    assertConsistent(Buffer.compare(await engine.decapsulate(ciphertext), sharedSecret) === 0);
  }
  if (engine.seal !== undefined && engine.open !== undefined) {
    const header = Buffer.alloc(22);
    const sealed = await engine.seal(header, Buffer.alloc(0), message);
    assertConsistent(Buffer.compare(await engine.open(sealed, Buffer.alloc(0)), message) === 0);
  }
}

function assertConsistent(consistent: boolean): void {
  if (!consistent)
    throw new KmsError('INTERNAL_ERROR', 'A freshly generated key failed its pairwise consistency test.');
}
