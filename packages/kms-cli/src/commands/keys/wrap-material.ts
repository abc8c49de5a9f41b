import { createCipheriv, createPublicKey, encapsulate } from 'node:crypto';

/** What the service opens: an ML-KEM-768 ciphertext, then the material under AES-KWP (RFC 5649) with the shared secret. */
export function wrapMaterial(material: Uint8Array, publicKeyPem: string): Uint8Array {
  const { sharedKey, ciphertext } = encapsulate(createPublicKey(publicKeyPem));
  const cipher = createCipheriv('id-aes256-wrap-pad', sharedKey, Buffer.from('a65959a6', 'hex'));
  try {
    return Buffer.concat([ciphertext, cipher.update(material), cipher.final()]);
  } finally {
    sharedKey.fill(0);
  }
}
