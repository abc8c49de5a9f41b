import { hkdfSync } from 'node:crypto';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkBytes, checkInteger, checkVersion } from '../bounds/check-values.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { capability, useKey } from './use-key.ts';

/** With whom a key is agreed, and what is derived of it. */
export interface DeriveInput {
  readonly keyId: KeyId;
  /** The peer's public key as SubjectPublicKeyInfo in DER, on the same curve. */
  readonly peerPublicKey: Uint8Array;
  readonly salt?: Uint8Array;
  /** What the derived key is for, and between whom (SP 800-56C Rev. 2, FixedInfo). */
  readonly info?: Uint8Array;
  /** 16 to 64 bytes; default: 32. */
  readonly length?: number;
  readonly keyVersion?: number;
}

/** A derived key, and which version of which key derived it. */
export interface DeriveResult {
  readonly derivedKey: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
}

const NO_BYTES = new Uint8Array(0);

/** Key agreement, then HKDF-SHA-256 (RFC 5869): the raw shared secret never leaves. */
export async function derive(op: Operation, input: DeriveInput): Promise<DeriveResult> {
  const { length = 32, salt = NO_BYTES, info = NO_BYTES } = input;
  checkBytes('peerPublicKey', input.peerPublicKey, BOUNDS.publicKeyBytes, 1);
  checkBytes('salt', salt, BOUNDS.deriveInfoBytes);
  checkBytes('info', info, BOUNDS.deriveInfoBytes);
  checkInteger('length', length, BOUNDS.derivedKeyBytes.minimum, BOUNDS.derivedKeyBytes.maximum);
  checkVersion('keyVersion', input.keyVersion);
  const used = await useKey(op, OPERATIONS.derive, input.keyId, input.keyVersion ?? null);
  const secret = await capability(used, 'agree')(input.peerPublicKey);
  try {
    const derivedKey = new Uint8Array(hkdfSync('sha256', secret, salt, info, length));
    return { derivedKey, keyId: used.key.keyId, keyVersion: used.version.version, algorithm: used.algorithm.id };
  } finally {
    secret.fill(0);
  }
}
