import { z } from 'zod';
import { LIMITS } from '../bounds/limits.ts';
import { bytes } from './bytes.ts';
import { stringMap } from './string-map.ts';

/** The fields that crypto requests are made of. */

export const plaintext = bytes({
  maximum: LIMITS.plaintextBytes,
  tooLarge:
    `The plaintext is larger than ${LIMITS.plaintextBytes} bytes. Get a data key (POST /kms/v1/keys/{keyId}/data-key), encrypt the data ` +
    'with it where it is, and keep the wrapped key beside it.',
}).describe('At most 64 KiB; encrypt larger data locally under a data key.');

export const ciphertext = bytes({
  maximum: LIMITS.ciphertextBytes,
  tooLarge: `The ciphertext is larger than ${LIMITS.ciphertextBytes} bytes. No ciphertext of this service is that large.`,
}).describe('What `encrypt` returned; it names its key and version itself.');

export const encryptionContext = stringMap(LIMITS.context).describe(
  'Names and values that are authenticated with the ciphertext: decrypting requires the same ones, in any order. Not secret. An empty ' +
    'object is the same as none.',
);

export const message = bytes({
  maximum: LIMITS.messageBytes,
  tooLarge: `The data is larger than ${LIMITS.messageBytes} bytes. Sign or authenticate a digest of it instead.`,
});

export const signature = bytes({ maximum: LIMITS.signatureBytes });

/** FIPS 204 and FIPS 205: the context string of a signature. */
export const signatureContext = bytes({ maximum: LIMITS.signatureContextBytes }).describe(
  'The context string of ML-DSA and SLH-DSA, at most 255 bytes. Other algorithms have none and refuse it.',
);

export const signatureFormat = z
  .enum(['der', 'ieee-p1363'])
  .describe('The encoding of an ECDSA signature (default: `der`).');

export const signatureScheme = z
  .enum(['pss', 'pkcs1-v1_5'])
  .describe('The padding of an RSA signature (default: PSS with a salt as long as the digest).');

export const messageType = z
  .enum(['raw', 'digest'])
  .describe(
    'What `data` is: the message (`raw`, the default), or the digest of it that was made elsewhere, of as many bytes as `hash` makes. ECDSA and ' +
      'RSA alone sign digests; the signature is the same as that of the message.',
  );

export const signatureHash = z
  .enum(['sha256', 'sha384', 'sha512'])
  .describe(
    'What the message is hashed with, or was, for ECDSA and RSA (default: SHA-384 for P-384, SHA-256 for the others).',
  );

export const mac = bytes({ maximum: LIMITS.macBytes });

export const dataKey = bytes({
  minimum: 1,
  maximum: LIMITS.plaintextBytes,
  tooLarge: `The key is larger than ${LIMITS.plaintextBytes} bytes.`,
}).describe('The key to wrap.');

export const wrappedKey = bytes({
  maximum: LIMITS.ciphertextBytes,
  tooLarge: `The wrapped key is larger than ${LIMITS.ciphertextBytes} bytes. No wrapped key of this service is that large.`,
}).describe('What `wrap` or `data-key` returned; it names its key and version itself.');

export const associatedData = bytes({ maximum: LIMITS.associatedDataBytes }).describe(
  'Authenticated with the wrapped key: unwrapping requires the same value. Not secret. Zero bytes are the same as none.',
);

export const kemCiphertext = bytes({ maximum: LIMITS.kemCiphertextBytes }).describe('The encapsulated shared secret.');

export const keyVersion = z.int().min(1).max(LIMITS.keyVersion);
