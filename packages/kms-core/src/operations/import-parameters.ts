import { createPrivateKey, decapsulate, generateKeyPair, type KeyObject } from 'node:crypto';
import { requirePermission } from '../access/caller.ts';
import { costOfWork } from '../algorithms/costs.ts';
import { unwrapWithPadding } from '../engines/key-wrap.ts';
import { oaepOpener } from '../engines/oaep.ts';
import { checkOneOf } from '../bounds/check-values.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { openJson, sealJson } from '../hierarchy/sealed-json.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';

/** How imported material is wrapped; `docs/cryptography.md` has the byte layouts. */
export const WRAPPING_ALGORITHMS = ['RSA_AES_KEY_WRAP_SHA_256', 'ML_KEM_768_AES_KWP'] as const;
/** The algorithms of the wrapping keys. */
const WRAPPING_KEYS = { RSA_AES_KEY_WRAP_SHA_256: 'rsa-4096', ML_KEM_768_AES_KWP: 'kyber-768' } as const;
/** How material is wrapped that is imported. */
export type WrappingAlgorithm = (typeof WRAPPING_ALGORITHMS)[number];

const TOKEN_LIFETIME_MS = 24 * 60 * 60 * 1000;
const IMPORT_TOKEN = 'qnsp-kms/v1/import-token';

/** A public key to wrap material under, and the token to present with what was wrapped. */
export interface ImportParameters {
  readonly wrappingAlgorithm: WrappingAlgorithm;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  /**
   * The private half, sealed under the tenant's master key: the service keeps nothing, and a token is worth nothing to
   * anybody but the service.
   */
  readonly importToken: Uint8Array;
  readonly expiresAt: string;
}

/** A fresh wrapping key, valid for a day. */
export async function createImportParameters(
  { kms, caller, client }: Operation,
  input: { readonly wrappingAlgorithm: WrappingAlgorithm },
): Promise<ImportParameters> {
  const { wrappingAlgorithm } = input;
  requirePermission(caller, OPERATIONS.getImportParameters.permission);
  checkOneOf('wrappingAlgorithm', wrappingAlgorithm, WRAPPING_ALGORITHMS);
  const chain = await kms.hierarchy.masterKeys(caller.tenantId);
  const units = costOfWork({ id: WRAPPING_KEYS[wrappingAlgorithm] }, 'generate') ?? 1;
  const { privateKey, publicKey } = await kms.jobs.run({ owner: caller.tenantId, units, client }, () =>
    generateWrappingKey(wrappingAlgorithm),
  );
  const expiresAt = new Date(kms.clock() + TOKEN_LIFETIME_MS).toISOString();
  const secret = privateKey.export({ format: 'der', type: 'pkcs8' });
  try {
    const importToken = sealJson(chain, IMPORT_TOKEN, [wrappingAlgorithm], {
      privateKey: secret.toString('base64'),
      expiresAt,
    });
    return {
      wrappingAlgorithm,
      publicKey: publicKey.export({ format: 'der', type: 'spki' }),
      importToken,
      expiresAt,
    };
  } finally {
    secret.fill(0);
  }
}

/** Key material as it is brought along: wrapped under the key of {@link ImportParameters}. */
export interface WrappedMaterial {
  readonly wrappingAlgorithm: WrappingAlgorithm;
  readonly importToken: Uint8Array;
  readonly wrappedMaterial: Uint8Array;
}

/**
 * Opens imported material; the caller wipes it.
 *
 * @param privateKey what {@link openImportToken} answers
 * @throws KmsError `BAD_REQUEST` for material that is not under it.
 */
export async function unwrapMaterial(
  privateKey: KeyObject,
  { wrappingAlgorithm, wrappedMaterial }: WrappedMaterial,
): Promise<Uint8Array> {
  try {
    return wrappingAlgorithm === 'ML_KEM_768_AES_KWP'
      ? unwrapKem(privateKey, wrappedMaterial)
      : await unwrapRsa(privateKey, wrappedMaterial);
  } catch {
    // One answer for every failure below: which step failed is what an oracle would tell.
    throw badRequest('wrappedMaterial', `cannot be opened with the wrapping key of the token and ${wrappingAlgorithm}`);
  }
}

/**
 * The private key of the wrapping key that a token is for.
 *
 * @throws KmsError `BAD_REQUEST` for a token that has expired, or that is not one of this tenant.
 */
export function openImportToken(
  chain: MasterKeyChain,
  now: number,
  { wrappingAlgorithm, importToken }: WrappedMaterial,
): KeyObject {
  try {
    // Only this file writes tokens of this use, so an authentic one has this shape.
    const token = openJson(chain, IMPORT_TOKEN, [wrappingAlgorithm], importToken) as {
      privateKey: string;
      expiresAt: string;
    };
    if (Date.parse(token.expiresAt) <= now) throw badRequest('importToken', 'has expired; ask for new parameters');
    const secret = Buffer.from(token.privateKey, 'base64');
    try {
      return createPrivateKey({ key: secret, format: 'der', type: 'pkcs8' });
    } finally {
      secret.fill(0);
    }
  } catch (error) {
    if (KmsError.is(error) && error.code !== 'DECRYPT_FAILED') throw error;
    const refusal = badRequest('importToken', `is not a token of this tenant for ${wrappingAlgorithm}`);
    throw NewerMasterKey.is(error)
      ? new NewerMasterKey(refusal.code, refusal.message, { details: refusal.details ?? {} })
      : refusal;
  }
}

const RSA_BYTES = 512;

/** RSAES-OAEP with SHA-256 of a 256-bit key (512 bytes) ‖ the material under AES-KWP (RFC 5649) with that key. */
async function unwrapRsa(privateKey: KeyObject, wrapped: Uint8Array): Promise<Uint8Array> {
  const kek = await oaepOpener(privateKey)(wrapped.subarray(0, RSA_BYTES));
  return unwrapUnder(kek, wrapped.subarray(RSA_BYTES));
}

const ML_KEM_768_BYTES = 1088;

/** An ML-KEM-768 ciphertext (1,088 bytes) ‖ the material under AES-KWP with the shared secret (SP 800-227, section 4.1). */
function unwrapKem(privateKey: KeyObject, wrapped: Uint8Array): Uint8Array {
  const kek = decapsulate(privateKey, wrapped.subarray(0, ML_KEM_768_BYTES));
  return unwrapUnder(kek, wrapped.subarray(ML_KEM_768_BYTES));
}

function unwrapUnder(kek: Uint8Array, wrapped: Uint8Array): Uint8Array {
  try {
    return unwrapWithPadding(kek, wrapped);
  } finally {
    kek.fill(0);
  }
}

function generateWrappingKey(algorithm: WrappingAlgorithm): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject) => {
      if (error === null) resolve({ publicKey, privateKey });
      else reject(error);
    };
    if (algorithm === 'ML_KEM_768_AES_KWP') generateKeyPair('ml-kem-768', {}, done);
    else generateKeyPair('rsa', { modulusLength: RSA_BYTES * 8 }, done);
  });
}
