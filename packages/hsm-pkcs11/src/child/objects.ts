import { CKA, CKO, CKR } from '../protocol/cryptoki.ts';
import type { FoundObject, KeyRef } from '../protocol/messages.ts';
import type { Quirks } from '../protocol/quirks.ts';
import { type Cryptoki, FaultError, type Handle, isCkr, type Template } from './driver.ts';
import { requiredAttributes } from './templates.ts';

const BATCH = 64;

/** A session of a token, with the functions of its module. */
export interface Session {
  readonly cryptoki: Cryptoki;
  readonly handle: Handle;
  /** What is particular about the token. */
  readonly quirks: Quirks;
}

/** Every object that matches. */
export function findObjects({ cryptoki, handle }: Session, template: Template): Handle[] {
  cryptoki.C_FindObjectsInit(handle, template);
  const found: Handle[] = [];
  for (;;) {
    const batch = cryptoki.C_FindObjects(handle, BATCH);
    found.push(...batch);
    if (batch.length < BATCH) break;
  }
  cryptoki.C_FindObjectsFinal(handle);
  return found;
}

/**
 * The values of attributes, in one call where the token allows it; null for those that objects of this kind, or this
 * token, do not have.
 */
export function readAttributes(session: Session, object: Handle, types: readonly number[]): (Buffer | null)[] {
  const { cryptoki, handle } = session;
  try {
    const values = cryptoki.C_GetAttributeValue(
      handle,
      object,
      types.map((type) => ({ type })),
    );
    return types.map((_, index) => values[index]?.value ?? null);
  } catch (error) {
    if (!isCkr(error, CKR.attributeTypeInvalid)) throw error;
    if (types.length === 1) return [null];
    return types.flatMap((type) => readAttributes(session, object, [type]));
  }
}

/** The id and label by which an object is known. */
export function describeObject(session: Session, object: Handle): FoundObject {
  const [id, label] = readAttributes(session, object, [CKA.id, CKA.label]);
  return { id: id ?? Buffer.alloc(0), label: label?.toString('utf8') ?? '' };
}

/** The template that finds candidates for a key. The rest is compared afterwards, so that nobody can hide behind it. */
export function searchTemplate(ref: KeyRef): Template {
  return [
    { type: CKA.class, value: ref.kind === 'secret' ? CKO.secretKey : CKO.privateKey },
    { type: CKA.token, value: true },
    ...(ref.id === null ? [] : [{ type: CKA.id, value: Buffer.from(ref.id) }]),
    ...(ref.label === null ? [] : [{ type: CKA.label, value: ref.label }]),
  ];
}

/**
 * The one key that is meant, after its attributes were compared with those required of such a key.
 *
 * @throws FaultError `not-found`, `ambiguous` with the ids, or `weakened` with the attribute.
 */
export function resolveKey(session: Session, ref: KeyRef): Handle {
  const [key, ...others] = findObjects(session, searchTemplate(ref));
  if (key === undefined) throw new FaultError({ type: 'not-found' });
  if (others.length > 0) {
    const ids = [key, ...others].map((object) => Buffer.from(describeObject(session, object).id).toString('hex'));
    throw new FaultError({ type: 'ambiguous', ids });
  }
  const required = requiredAttributes(ref);
  const types = [CKA.keyType, ...(ref.bytes === null ? [] : [CKA.valueLen]), ...required.map(({ type }) => type)];
  const values = new Map(readAttributes(session, key, types).map((value, index) => [types[index], value]));
  for (const { name, type, value } of required) {
    const found = values.get(type) ?? null;
    if (found === null && session.quirks.mayLack.includes(type)) continue;
    if (found?.[0] !== (value ? 1 : 0)) throw weakened(name, String(value));
  }
  if (ulong(values.get(CKA.keyType) ?? null) !== ref.keyType) throw weakened('CKA_KEY_TYPE', String(ref.keyType));
  if (ref.bytes !== null && ulong(values.get(CKA.valueLen) ?? null) !== ref.bytes)
    throw weakened('CKA_VALUE_LEN', String(ref.bytes));
  return key;
}

function weakened(attribute: string, required: string): FaultError {
  return new FaultError({ type: 'weakened', attribute, required });
}

/** The value of a CK_ULONG, which has the byte order of this machine. */
export function ulong(bytes: Uint8Array | null): number | null {
  if (bytes === null || bytes.length < 4) return null;
  const view = Buffer.from(bytes);
  return view.length >= 8 ? Number(view.readBigUInt64LE()) : view.readUInt32LE();
}
