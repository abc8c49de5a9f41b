import { timingSafeEqual } from 'node:crypto';
import type * as pkcs11js from 'pkcs11js';
import { CKA, CKK, CKM, CKO, CKR } from '../protocol/cryptoki.ts';
import type { Answers, FoundObject, KeyRef, MechanismParameters, Request } from '../protocol/messages.ts';
import { FaultError, faultOf, type Handle, isCkr } from './driver.ts';
import type { HandleCache } from './handle-cache.ts';
import { describeObject, findObjects, readAttributes, searchTemplate, type Session } from './objects.ts';
import { keyTemplate, publicKeyTemplate } from './templates.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const BLOCK_BYTES = 16;
/** Numbers by which pkcs11js tells the structures of mechanism parameters apart. */
const PARAMS = { gcm: 7, oaep: 4, pss: 5 } as const;

const WRONG_DATA: readonly number[] = [CKR.encryptedDataInvalid, CKR.encryptedDataLenRange, CKR.aeadDecryptFailed];

/** Does what a request asks for, in one session. */
export function perform(session: Session, keys: HandleCache, request: Request): Answers[keyof Answers] {
  switch (request.op) {
    case 'find':
      return findObjects(session, searchTemplate(request.ref)).map((object) => describeObject(session, object));
    case 'objects':
      return findObjects(session, [{ type: CKA.token, value: true }]);
    case 'describe':
      return request.handles.flatMap((object) => describeIfThere(session, bytes(object)));
    case 'generate':
      return generate(session, request);
    case 'public-attributes':
      return publicAttributes(session, request);
    case 'destroy':
      return destroy(session, request);
    case 'encrypt-block':
      return encrypt(session, keys.resolve(session, request.ref), { mechanism: CKM.aesEcb }, request.block, 0);
    case 'seal':
      return seal(session, keys, request);
    case 'open':
      return openSealed(session, keys.resolve(session, request.ref), request);
    case 'sign': {
      const key = keys.resolve(session, request.ref);
      session.cryptoki.C_SignInit(session.handle, mechanism(request.mechanism, request.parameters), key);
      return session.cryptoki.C_Sign(session.handle, bytes(request.data), Buffer.alloc(request.maxBytes));
    }
    case 'decrypt': {
      const key = keys.resolve(session, request.ref);
      const chosen = mechanism(request.mechanism, request.parameters);
      return decrypt(session, key, chosen, request.ciphertext, request.maxBytes);
    }
    case 'random':
      return session.cryptoki.C_GenerateRandom(session.handle, Buffer.alloc(request.bytes));
  }
}

type Of<Op extends Request['op']> = Extract<Request, { op: Op }>;

function describeIfThere(session: Session, object: Handle): FoundObject[] {
  try {
    return [describeObject(session, object)];
  } catch (error) {
    // It was destroyed since it was found.
    if (!isCkr(error, CKR.objectHandleInvalid)) throw error;
    return [];
  }
}

function generate(session: Session, request: Of<'generate'>): null {
  const { cryptoki, handle, quirks } = session;
  const make = (copyable: boolean): void => {
    const template = keyTemplate(request.spec, request.id, request.label, copyable);
    const how = { mechanism: request.mechanism };
    if (request.pair === null) cryptoki.C_GenerateKey(handle, how, template);
    else {
      const publicTemplate = publicKeyTemplate(request.spec, request.id, request.label, request.pair);
      cryptoki.C_GenerateKeyPair(handle, how, publicTemplate, template);
    }
  };
  try {
    make(true);
  } catch (error) {
    // A token that does not know CKA_COPYABLE makes no copies that lose an attribute either.
    if (!quirks.mayLack.includes(CKA.copyable) || !isCkr(error, ...quirks.unknownAttribute)) throw error;
    make(false);
  }
  return null;
}

function publicAttributes(session: Session, request: Of<'public-attributes'>): Answers['public-attributes'] {
  const [key, ...others] = findObjects(session, [
    { type: CKA.class, value: CKO.publicKey },
    { type: CKA.id, value: bytes(request.id) },
    { type: CKA.label, value: request.label },
  ]);
  if (key === undefined) throw new FaultError({ type: 'not-found' });
  if (others.length > 0) throw new FaultError({ type: 'ambiguous', ids: [Buffer.from(request.id).toString('hex')] });
  const types: readonly number[] = request.keyType === CKK.rsa ? [CKA.modulus, CKA.publicExponent] : [CKA.ecPoint];
  const values = readAttributes(session, key, types);
  const valueOf = (type: number): Buffer | null => values[types.indexOf(type)] ?? null;
  return {
    ecPoint: valueOf(CKA.ecPoint),
    modulus: valueOf(CKA.modulus),
    publicExponent: valueOf(CKA.publicExponent),
  };
}

function destroy(session: Session, request: Of<'destroy'>): number {
  let destroyed = 0;
  const found = findObjects(session, [
    { type: CKA.token, value: true },
    { type: CKA.id, value: bytes(request.id) },
  ]);
  for (const object of found) {
    const [described] = describeIfThere(session, object);
    // Somebody else's object may have the same id.
    if (described === undefined || !described.label.startsWith(request.labelPrefix)) continue;
    try {
      session.cryptoki.C_DestroyObject(session.handle, object);
      destroyed += 1;
    } catch (error) {
      // Another node was faster.
      if (!isCkr(error, CKR.objectHandleInvalid)) throw error;
    }
  }
  return destroyed;
}

/** Encrypts, opens the result again in the HSM, and returns only what gives the same plaintext. */
function seal(session: Session, keys: HandleCache, request: Of<'seal'>): Uint8Array {
  const key = keys.resolve(session, request.ref);
  const made = encrypt(session, key, gcm(request.nonce, request.aad), request.plaintext, TAG_BYTES);
  const sealed = Buffer.concat([request.nonce, made]);
  if (sealed.length !== NONCE_BYTES + request.plaintext.length + TAG_BYTES) throw new FaultError({ type: 'corrupt' });
  let again: Uint8Array | undefined;
  try {
    again = openSealed(session, key, { ...request, sealed });
    if (!timingSafeEqual(again, request.plaintext)) throw new FaultError({ type: 'corrupt' });
  } catch (cause) {
    if (!isCkr(cause, ...WRONG_DATA, ...session.quirks.unclearDecryptFailures)) throw cause;
    throw new FaultError({ type: 'corrupt' }, { cause });
  } finally {
    again?.fill(0);
  }
  return sealed;
}

function openSealed(session: Session, key: Handle, request: Omit<Of<'open'>, 'op' | 'ref'>): Uint8Array {
  const { sealed } = request;
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const body = sealed.subarray(NONCE_BYTES);
  const plaintext = decrypt(session, key, gcm(nonce, request.aad), body, body.length);
  if (plaintext.length !== sealed.length - NONCE_BYTES - TAG_BYTES) throw new FaultError({ type: 'corrupt' });
  return plaintext;
}

/**
 * Whether a decryption that failed without a clear reason failed because of its data: the same key decrypts a block
 * that cannot be wrong. The result is dropped.
 */
export function decryptsAnything(session: Session, keys: HandleCache, ref: KeyRef): boolean {
  try {
    decrypt(
      session,
      keys.resolve(session, ref),
      { mechanism: CKM.aesEcb },
      Buffer.alloc(BLOCK_BYTES),
      BLOCK_BYTES,
    ).fill(0);
    return true;
  } catch (error) {
    // The first failure is the one that is reported.
    if (faultOf(error).type === 'unexpected') throw error;
    return false;
  }
}

function encrypt(session: Session, key: Handle, how: pkcs11js.Mechanism, data: Uint8Array, growth: number): Buffer {
  session.cryptoki.C_EncryptInit(session.handle, how, key);
  return session.cryptoki.C_Encrypt(session.handle, bytes(data), Buffer.alloc(data.length + growth));
}

function decrypt(session: Session, key: Handle, how: pkcs11js.Mechanism, data: Uint8Array, room: number): Buffer {
  session.cryptoki.C_DecryptInit(session.handle, how, key);
  return session.cryptoki.C_Decrypt(session.handle, bytes(data), Buffer.alloc(room));
}

function gcm(nonce: Uint8Array, aad: Uint8Array): pkcs11js.Mechanism {
  const parameter = {
    type: PARAMS.gcm,
    iv: bytes(nonce),
    ivBits: nonce.length * 8,
    aad: bytes(aad),
    tagBits: TAG_BYTES * 8,
  };
  return { mechanism: CKM.aesGcm, parameter };
}

function mechanism(type: number, parameters: MechanismParameters | null): pkcs11js.Mechanism {
  if (parameters === null) return { mechanism: type };
  const { hash: hashAlg, mgf } = parameters;
  const parameter =
    parameters.kind === 'pss'
      ? { type: PARAMS.pss, hashAlg, mgf, saltLen: parameters.saltBytes }
      : { type: PARAMS.oaep, hashAlg, mgf, source: 1 };
  return { mechanism: type, parameter };
}

/** What crossed a process is a Uint8Array, and pkcs11js takes only buffers. */
function bytes(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
