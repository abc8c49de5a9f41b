import { CKA, CKO } from '../protocol/cryptoki.ts';
import type { KeySpec, PairParameters, Usage } from '../protocol/messages.ts';
import type { Template } from './driver.ts';

/** Every usage attribute that a class of objects has: an attribute left out is the token's to choose. */
const SECRET_USAGES: Readonly<Record<Usage, number>> = {
  encrypt: CKA.encrypt,
  decrypt: CKA.decrypt,
  sign: CKA.sign,
  verify: CKA.verify,
  wrap: CKA.wrap,
  unwrap: CKA.unwrap,
  derive: CKA.derive,
};
const PRIVATE_USAGES = { decrypt: CKA.decrypt, sign: CKA.sign, unwrap: CKA.unwrap, derive: CKA.derive } as const;
const PUBLIC_USAGES = { encrypt: CKA.encrypt, verify: CKA.verify, wrap: CKA.wrap, derive: CKA.derive } as const;

export interface RequiredAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: boolean;
}

/** The value that an attribute must have for a key to be used, regardless of who made the key. */
export function requiredAttributes(spec: KeySpec): readonly RequiredAttribute[] {
  return [
    { name: 'CKA_TOKEN', type: CKA.token, value: true },
    { name: 'CKA_PRIVATE', type: CKA.private, value: true },
    { name: 'CKA_SENSITIVE', type: CKA.sensitive, value: true },
    { name: 'CKA_EXTRACTABLE', type: CKA.extractable, value: false },
    { name: 'CKA_MODIFIABLE', type: CKA.modifiable, value: false },
    { name: 'CKA_COPYABLE', type: CKA.copyable, value: false },
    { name: 'CKA_ALWAYS_SENSITIVE', type: CKA.alwaysSensitive, value: true },
    { name: 'CKA_NEVER_EXTRACTABLE', type: CKA.neverExtractable, value: true },
    { name: 'CKA_LOCAL', type: CKA.local, value: true },
    ...usageAttributes(spec),
  ];
}

function usageAttributes(spec: KeySpec): RequiredAttribute[] {
  const usages = Object.entries(spec.kind === 'secret' ? SECRET_USAGES : PRIVATE_USAGES);
  const attributes: RequiredAttribute[] = usages.map(([usage, type]) => ({
    name: `CKA_${usage.toUpperCase()}`,
    type,
    value: spec.usage.some((allowed) => allowed === usage),
  }));
  if (spec.kind === 'private') attributes.push({ name: 'CKA_SIGN_RECOVER', type: CKA.signRecover, value: false });
  return attributes;
}

/** The template of a new secret or private key. */
export function keyTemplate(spec: KeySpec, id: Uint8Array, label: string, copyable: boolean): Template {
  // These two follow from the others; a token sets them itself.
  const derived: readonly number[] = [CKA.alwaysSensitive, CKA.neverExtractable, CKA.local];
  return [
    { type: CKA.class, value: spec.kind === 'secret' ? CKO.secretKey : CKO.privateKey },
    { type: CKA.keyType, value: spec.keyType },
    ...requiredAttributes(spec)
      .filter(({ type }) => !derived.includes(type) && (copyable || type !== CKA.copyable))
      .map(({ type, value }) => ({ type, value })),
    { type: CKA.id, value: Buffer.from(id) },
    { type: CKA.label, value: label },
    ...(spec.bytes === null ? [] : [{ type: CKA.valueLen, value: spec.bytes }]),
  ];
}

/** The template of the public half: it does what undoes the private half's usages, and nothing else. */
export function publicKeyTemplate(spec: KeySpec, id: Uint8Array, label: string, pair: PairParameters): Template {
  const allowed = (usage: string): boolean =>
    (usage === 'verify' && spec.usage.includes('sign')) || (usage === 'encrypt' && spec.usage.includes('decrypt'));
  return [
    { type: CKA.class, value: CKO.publicKey },
    { type: CKA.keyType, value: spec.keyType },
    { type: CKA.token, value: true },
    { type: CKA.private, value: false },
    { type: CKA.modifiable, value: false },
    ...Object.entries(PUBLIC_USAGES).map(([usage, type]) => ({ type, value: allowed(usage) })),
    { type: CKA.verifyRecover, value: false },
    { type: CKA.id, value: Buffer.from(id) },
    { type: CKA.label, value: label },
    ...(pair.kind === 'ec'
      ? [{ type: CKA.ecParams, value: Buffer.from(pair.curve) }]
      : [
          { type: CKA.modulusBits, value: pair.modulusBits },
          { type: CKA.publicExponent, value: Buffer.of(1, 0, 1) },
        ]),
  ];
}
