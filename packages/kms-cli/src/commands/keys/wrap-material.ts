import { createCipheriv, createPublicKey, encapsulate } from 'node:crypto';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';

/** What the service opens: an ML-KEM-768 ciphertext, then the material under AES-KWP (RFC 5649) with the shared secret. */
export function wrapMaterial(material: Uint8Array, publicKeyPem: string): Uint8Array {
  const publicKey = createPublicKey(publicKeyPem);
  // `encapsulate` accepts RSA keys and curves as well, which protect less than what was asked for.
  if (publicKey.asymmetricKeyType !== 'ml-kem-768')
    throw new CommandError(
      EXIT.failed,
      'The wrapping key from the service is not an ML-KEM-768 key: nothing was sent.',
    );
  const { sharedKey, ciphertext } = encapsulate(publicKey);
  const cipher = createCipheriv('id-aes256-wrap-pad', sharedKey, Buffer.from('a65959a6', 'hex'));
  try {
    return Buffer.concat([ciphertext, cipher.update(material), cipher.final()]);
  } finally {
    sharedKey.fill(0);
  }
}
