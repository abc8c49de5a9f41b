import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { privateKeyInPem, publicKeyInPem, RefusedMaterial } from '@qnsp/kms-core/engines';
import type { Checkpoint, CheckpointStatement } from '@qnsp/kms-core/ports';
import { canonicalJson } from './canonical-json.ts';
import { signedBytes } from './checkpoint.ts';
import { type SignatureAlgorithm, signatureAlgorithmOf } from './signature-algorithm.ts';

// Signed with node:crypto and not with a JOSE library: those work on WebCrypto, whose ML-DSA is experimental in Node.js 26
// and which takes no RSA-PSS key. The tests hold the result against one.

/** The media type of what is signed. */
const TYPE = 'application/vnd.qnsp.kms.checkpoint+json';

/** Signs checkpoints with one private key. */
export interface CheckpointSigner {
  /** The name of the algorithm in the JWS. */
  readonly algorithm: string;
  /** Names the public key: base64url of the SHA-256 of its SubjectPublicKeyInfo. */
  readonly keyId: string;
  /** SubjectPublicKeyInfo in PEM: what an auditor verifies with. */
  readonly publicKeyPem: string;
  sign(statement: CheckpointStatement): Promise<Checkpoint>;
}

/**
 * The signer for a private key in PEM (PKCS #8, PKCS #1 or SEC 1).
 *
 * @throws RangeError saying what is wrong with the key; nothing of the key is in the message.
 */
export function checkpointSigner(privateKeyPem: string): CheckpointSigner {
  const privateKey = readKey(privateKeyPem, 'private', privateKeyInPem);
  const algorithm = signatureAlgorithmOf(privateKey);
  const publicKey = createPublicKey(privateKey);
  const keyId = keyIdOf(publicKey);
  const header = base64url(canonicalJson({ alg: algorithm.name, kid: keyId, typ: TYPE }));
  return {
    algorithm: algorithm.name,
    keyId,
    publicKeyPem: publicKey.export({ format: 'pem', type: 'spki' }),
    sign: async (statement) => {
      const input = Buffer.from(`${header}.${signedBytes(statement).toString('base64url')}`, 'ascii');
      const signature = await signBytes(algorithm, privateKey, input);
      return { ...statement, signature: `${header}..${signature.toString('base64url')}` };
    },
  };
}

/** Checks the signatures of checkpoints under one public key. */
export interface CheckpointVerifier {
  readonly keyId: string;
  /** Why the signature is not one of this key over this statement, `undefined` when it is. */
  problem(checkpoint: Checkpoint): string | undefined;
}

/**
 * The verifier for a public key in PEM.
 *
 * @throws RangeError saying what is wrong with the key.
 */
export function checkpointVerifier(publicKeyPem: string): CheckpointVerifier {
  const publicKey = readKey(publicKeyPem, 'public', publicKeyInPem);
  const algorithm = signatureAlgorithmOf(publicKey);
  const keyId = keyIdOf(publicKey);
  return {
    keyId,
    problem: (checkpoint) => {
      const [header = '', payload, signature = '', ...rest] = checkpoint.signature.split('.');
      if (payload !== '' || rest.length > 0) return 'its signature is not a JWS with a detached payload';
      const named = parseHeader(header);
      // The key determines the algorithm, never the header, which anyone can write.
      if (named === undefined || named['alg'] !== algorithm.name || named['typ'] !== TYPE || 'crit' in named)
        return `its signature is not a checkpoint's with ${algorithm.name}`;
      if (named['kid'] !== keyId) return `it was signed with another key${nameOf(named['kid'])}`;
      const input = Buffer.from(`${header}.${signedBytes(checkpoint).toString('base64url')}`, 'ascii');
      const bytes = bytesOf(signature);
      const valid =
        bytes !== undefined &&
        hasLengthOf(publicKey, bytes) &&
        verify(algorithm.digest, input, { key: publicKey, ...algorithm.options }, bytes);
      return valid ? undefined : 'its signature is not valid';
    },
  };
}

/** RFC 8017, 8.1.2, step 1. OpenSSL also accepts a PSS signature without its leading zeros. */
function hasLengthOf({ asymmetricKeyDetails }: KeyObject, signature: Uint8Array): boolean {
  const bits = asymmetricKeyDetails?.modulusLength;
  return bits === undefined || signature.length === Math.ceil(bits / 8);
}

function readKey(pem: string, kind: 'private' | 'public', create: (pem: string) => KeyObject): KeyObject {
  try {
    return create(pem);
  } catch (error) {
    // The rule has nothing of the key in it; the error of a parser that was given a secret might.
    if (error instanceof RefusedMaterial)
      throw new RangeError(`it is not a ${kind} key in PEM that can be used: ${error.message}`);
    throw error;
  }
}

function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest('base64url');
}

function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}

/** The bytes that a text stands for, `undefined` unless it is the one way of writing them. */
function bytesOf(text: string): Buffer | undefined {
  // Buffer looks at the last eight bits of a character alone, and passes over what is not base64url.
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}

/**
 * The id of a key as a signature names it. Anything not in that form is not repeated: it would be written to a
 * terminal.
 */
function nameOf(keyId: unknown): string {
  return typeof keyId === 'string' && /^[\w-]{43}$/.test(keyId) ? `, ${keyId}` : '';
}

function parseHeader(encoded: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const header: unknown = JSON.parse(bytesOf(encoded)?.toString('utf8') ?? '');
    return typeof header === 'object' && header !== null ? (header as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** Signs off the event loop: RSA and ML-DSA take milliseconds. */
function signBytes(algorithm: SignatureAlgorithm, key: KeyObject, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(algorithm.digest, input, { key, ...algorithm.options }, (error, signature) => {
      if (error === null) resolve(signature);
      else reject(error);
    });
  });
}
