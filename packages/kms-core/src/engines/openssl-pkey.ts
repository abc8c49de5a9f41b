import { generateKeyPairSync, hash, type KeyObject, verify } from 'node:crypto';
import { badRequest } from '../errors/kms-error.ts';

/** How a digest is signed, in the names of OpenSSL's parameters (EVP_PKEY_CTX_ctrl_str). */
export type PkeyParameters = readonly (readonly [string, string])[];

/** The functions of OpenSSL, which the runtime has in it, that take a digest. */
const FUNCTIONS = {
  d2i_AutoPrivateKey: { arguments: ['pointer', 'buffer', 'int64'], return: 'pointer' },
  d2i_PUBKEY: { arguments: ['pointer', 'buffer', 'int64'], return: 'pointer' },
  EVP_PKEY_free: { arguments: ['pointer'], return: 'void' },
  EVP_PKEY_CTX_new_from_pkey: { arguments: ['pointer', 'pointer', 'pointer'], return: 'pointer' },
  EVP_PKEY_CTX_free: { arguments: ['pointer'], return: 'void' },
  EVP_PKEY_CTX_ctrl_str: { arguments: ['pointer', 'string', 'string'], return: 'int32' },
  EVP_PKEY_sign_init: { arguments: ['pointer'], return: 'int32' },
  EVP_PKEY_sign: { arguments: ['pointer', 'buffer', 'buffer', 'buffer', 'uint64'], return: 'int32' },
  EVP_PKEY_verify_init: { arguments: ['pointer'], return: 'int32' },
  EVP_PKEY_verify: { arguments: ['pointer', 'buffer', 'uint64', 'buffer', 'uint64'], return: 'int32' },
  ERR_clear_error: { arguments: [], return: 'void' },
} as const;

/** More than a signature with any key that is signed with here takes: RSA of 4,096 bits. */
const MOST_BYTES = 512;
const NULL = 0n;

type Ffi = NonNullable<ReturnType<typeof foreignFunctions>>;

/**
 * Signing and verifying of digests, which `node:crypto` has not: it hashes whatever it is given. The functions are called in the
 * OpenSSL of the runtime, so that they are the same code, and in FIPS mode the same provider, as for messages. They do not wait
 * for a thread of the pool: they take the time of this one.
 */
class OpenSslPkeys {
  readonly #ffi: Ffi;
  readonly #call: ReturnType<typeof bind>;
  /** By the key object, for as long as that is there. */
  readonly #held = new WeakMap<KeyObject, { readonly pkey: bigint }>();
  readonly #freed: FinalizationRegistry<bigint>;

  constructor(ffi: Ffi) {
    this.#ffi = ffi;
    this.#call = bind(ffi);
    this.#freed = new FinalizationRegistry((pkey) => this.#call.EVP_PKEY_free(pkey));
  }

  sign(key: KeyObject, digest: Uint8Array, parameters: PkeyParameters): Buffer {
    const signature = Buffer.from(new ArrayBuffer(MOST_BYTES));
    const length = Buffer.from(new ArrayBuffer(8));
    length.writeBigUInt64LE(BigInt(MOST_BYTES));
    this.#with(key, (context) => {
      this.#require(this.#call.EVP_PKEY_sign_init(context));
      this.#set(context, parameters);
      this.#require(this.#call.EVP_PKEY_sign(context, signature, length, digest, BigInt(digest.length)));
    });
    return Buffer.from(signature.subarray(0, Number(length.readBigUInt64LE())));
  }

  verify(key: KeyObject, digest: Uint8Array, signature: Uint8Array, parameters: PkeyParameters): boolean {
    return this.#with(key, (context) => {
      this.#require(this.#call.EVP_PKEY_verify_init(context));
      this.#set(context, parameters);
      const sizes = [BigInt(signature.length), BigInt(digest.length)] as const;
      return this.#call.EVP_PKEY_verify(context, signature, sizes[0], digest, sizes[1]) === 1;
    });
  }

  #with<T>(key: KeyObject, work: (context: bigint) => T): T {
    const held = this.#hold(key);
    const context = this.#call.EVP_PKEY_CTX_new_from_pkey(NULL, held.pkey, NULL);
    if (context === NULL) throw new Error('OpenSSL made no context for a key');
    try {
      return work(context);
    } finally {
      this.#call.EVP_PKEY_CTX_free(context);
      // What a signature that does not fit leaves behind would be taken for the error of a later call.
      this.#call.ERR_clear_error();
    }
  }

  #set(context: bigint, parameters: PkeyParameters): void {
    for (const [name, value] of parameters) this.#require(this.#call.EVP_PKEY_CTX_ctrl_str(context, name, value));
  }

  #require(result: number): void {
    if (result !== 1) throw new Error('OpenSSL refused to work on a digest');
  }

  #hold(key: KeyObject): { readonly pkey: bigint } {
    const found = this.#held.get(key);
    if (found !== undefined) return found;
    const der = key.export({ format: 'der', type: key.type === 'private' ? 'pkcs8' : 'spki' } as {
      format: 'der';
      type: 'pkcs8';
    });
    const held = { pkey: this.#loadOnce(key.type, der) };
    this.#freed.register(held, held.pkey);
    this.#held.set(key, held);
    return held;
  }

  /** Wipes the bytes of the key. */
  #loadOnce(type: KeyObject['type'], der: Buffer): bigint {
    try {
      return this.#load(type, der);
    } finally {
      der.fill(0);
      this.#call.ERR_clear_error();
    }
  }

  /** What OpenSSL reads moves its pointer, so it is given the address of one. */
  #load(type: KeyObject['type'], der: Buffer): bigint {
    const at = Buffer.from(new ArrayBuffer(8));
    at.writeBigUInt64LE(this.#ffi.getRawPointer(der));
    const read = type === 'private' ? this.#call.d2i_AutoPrivateKey : this.#call.d2i_PUBKEY;
    const pkey = read(NULL, at, BigInt(der.length));
    if (pkey === NULL) throw new Error('OpenSSL did not read a key that it wrote');
    return pkey;
  }
}

function bind(ffi: Ffi) {
  return ffi.dlopen(null, FUNCTIONS).functions;
}

/** What was found at the first digest: why there is nothing (`reason`), or what is wrong with what there is (`fault`). */
let found: { readonly pkeys: OpenSslPkeys } | { readonly reason: unknown } | { readonly fault: unknown } | undefined;

/**
 * Signs a digest with a key in memory.
 *
 * @returns for ECDSA the DER of its two numbers
 * @throws KmsError `BAD_REQUEST` where the runtime does not let its OpenSSL be called: before Node.js 26, on Windows, or with
 *   `--permission` and without `--allow-ffi`.
 */
export function signDigest(key: KeyObject, digest: Uint8Array, parameters: PkeyParameters): Buffer {
  return openSslPkeys().sign(key, digest, parameters);
}

/** Tells whether a signature is one over the digest. Takes and throws what {@link signDigest} does. */
export function verifyDigest(
  key: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
  parameters: PkeyParameters,
): boolean {
  return openSslPkeys().verify(key, digest, signature, parameters);
}

function openSslPkeys(): OpenSslPkeys {
  found ??= opened();
  if ('reason' in found) throw Object.assign(unable(), { cause: found.reason });
  if ('fault' in found) throw found.fault;
  return found.pkeys;
}

function opened(): NonNullable<typeof found> {
  const ffi = foreignFunctions();
  if (ffi === undefined) return { reason: new Error('there is no node:ffi') };
  let pkeys: OpenSslPkeys;
  try {
    pkeys = new OpenSslPkeys(ffi);
  } catch (reason) {
    return { reason };
  }
  try {
    requireSound(pkeys);
    return { pkeys };
  } catch (fault) {
    return { fault };
  }
}

/** Not imported: what is embedded in older versions of Node.js has to load there. It warns once that it is experimental. */
function foreignFunctions() {
  const ffi = process.getBuiltinModule('node:ffi');
  // What Node.js before 26 says, whatever the types of 26 say.
  return ffi as typeof ffi | undefined;
}

/** An interface that may change between releases has to give right answers before it is relied on. */
function requireSound(pkeys: OpenSslPkeys): void {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const message = Buffer.from('a message that is hashed once');
  const digest = hash('sha256', message, 'buffer');
  const parameters = [['digest', 'sha256']] as const;
  const signature = pkeys.sign(privateKey, digest, parameters);
  const isSound =
    verify('sha256', message, publicKey, signature) &&
    pkeys.verify(publicKey, digest, signature, parameters) &&
    !pkeys.verify(publicKey, hash('sha256', digest, 'buffer'), signature, parameters);
  if (!isSound) throw new Error('OpenSSL does not sign digests as it signs messages');
}

function unable() {
  return badRequest(
    'messageType',
    'the Node.js that this runs on cannot sign or verify a digest with a key in memory; give the message itself',
  );
}
