/** What a key may be used for in the token; each is one attribute. */
export type Usage = 'encrypt' | 'decrypt' | 'sign' | 'verify' | 'wrap' | 'unwrap' | 'derive';

/** What a key must be like to be used. */
export interface KeySpec {
  readonly kind: 'secret' | 'private';
  /** CKK_* */
  readonly keyType: number;
  /** Length of a secret key. */
  readonly bytes: number | null;
  /** Every other usage is forbidden. */
  readonly usage: readonly Usage[];
}

/** Which key is meant: everything that is not null must match, for exactly one key of the token. */
export interface KeyRef extends KeySpec {
  readonly id: Uint8Array | null;
  readonly label: string | null;
}

/** The public half of a key pair that is to be made. */
export type PairParameters =
  | { readonly kind: 'rsa'; readonly modulusBits: number }
  /** The DER of the curve's object identifier or name. */
  | { readonly kind: 'ec'; readonly curve: Uint8Array };

export type MechanismParameters =
  | { readonly kind: 'pss'; readonly hash: number; readonly mgf: number; readonly saltBytes: number }
  | { readonly kind: 'oaep'; readonly hash: number; readonly mgf: number };

/** One thing that a session does. */
export type Request =
  | { readonly op: 'find'; readonly ref: KeyRef }
  | { readonly op: 'objects' }
  | { readonly op: 'describe'; readonly handles: readonly Uint8Array[] }
  | {
      readonly op: 'generate';
      readonly mechanism: number;
      readonly spec: KeySpec;
      readonly id: Uint8Array;
      readonly label: string;
      readonly pair: PairParameters | null;
    }
  | {
      readonly op: 'public-attributes';
      readonly keyType: number;
      readonly id: Uint8Array;
      readonly label: string;
    }
  | { readonly op: 'destroy'; readonly id: Uint8Array; readonly labelPrefix: string }
  | { readonly op: 'encrypt-block'; readonly ref: KeyRef; readonly block: Uint8Array }
  | {
      readonly op: 'seal';
      readonly ref: KeyRef;
      readonly nonce: Uint8Array;
      readonly aad: Uint8Array;
      readonly plaintext: Uint8Array;
    }
  | {
      readonly op: 'open';
      readonly ref: KeyRef;
      /** `nonce(12) ‖ ciphertext ‖ tag(16)` */
      readonly sealed: Uint8Array;
      readonly aad: Uint8Array;
    }
  | {
      readonly op: 'sign';
      readonly ref: KeyRef;
      readonly mechanism: number;
      readonly parameters: MechanismParameters | null;
      readonly data: Uint8Array;
      readonly maxBytes: number;
    }
  | {
      readonly op: 'decrypt';
      readonly ref: KeyRef;
      readonly mechanism: number;
      readonly parameters: MechanismParameters | null;
      readonly ciphertext: Uint8Array;
      readonly maxBytes: number;
    }
  | { readonly op: 'random'; readonly bytes: number };

/** An object of the token. */
export interface FoundObject {
  readonly id: Uint8Array;
  readonly label: string;
}

/** The public attributes of a key pair; null where they do not apply. */
export interface PublicAttributes {
  readonly ecPoint: Uint8Array | null;
  readonly modulus: Uint8Array | null;
  readonly publicExponent: Uint8Array | null;
}

/** The answer to each request. */
export interface Answers {
  find: readonly FoundObject[];
  /** The handles of all objects: good for this run of the module's process. */
  objects: readonly Uint8Array[];
  /** Which of the objects still exist. */
  describe: readonly FoundObject[];
  generate: null;
  'public-attributes': PublicAttributes;
  /** How many objects were destroyed. */
  destroy: number;
  'encrypt-block': Uint8Array;
  /** `nonce(12) ‖ ciphertext ‖ tag(16)`, opened again before it is returned. */
  seal: Uint8Array;
  open: Uint8Array;
  sign: Uint8Array;
  decrypt: Uint8Array;
  random: Uint8Array;
}

/** Why something did not work, in a form that crosses processes. */
export type Fault =
  | { readonly type: 'ckr'; readonly code: number; readonly name: string }
  | { readonly type: 'driver' | 'module' | 'initialise' | 'slot' | 'unexpected'; readonly message: string }
  | { readonly type: 'not-found' }
  | { readonly type: 'ambiguous'; readonly ids: readonly string[] }
  | { readonly type: 'weakened'; readonly attribute: string; readonly required: string }
  /** A result that fails its check. */
  | { readonly type: 'corrupt' };

/** Distinguishes one token from every other. */
export interface TokenIdentity {
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly label: string;
}

export type ToChild =
  | {
      readonly kind: 'open';
      readonly modulePath: string;
      readonly slot: number | null;
      readonly tokenLabel: string | null;
      /** After the first time only this token will do, in whatever slot it is. */
      readonly expected: TokenIdentity | null;
      /** The tokens that others use: an index that leads to one of them has moved. */
      readonly taken: readonly TokenIdentity[];
    }
  | { readonly kind: 'login'; readonly pin: string; readonly lanes: number }
  /** The token logged out on its own. */
  | { readonly kind: 'login-again'; readonly pin: string }
  | { readonly kind: 'call'; readonly call: number; readonly lane: number; readonly request: Request }
  | { readonly kind: 'close' };

export type FromChild =
  | { readonly kind: 'token'; readonly token: TokenIdentity; readonly slotId: number }
  | { readonly kind: 'ready'; readonly mechanisms: readonly number[] }
  | { readonly kind: 'failed'; readonly fault: Fault }
  | { readonly kind: 'answer'; readonly call: number; readonly value: Answers[keyof Answers] }
  | { readonly kind: 'fault'; readonly call: number; readonly fault: Fault };

export type ToLane = Extract<ToChild, { kind: 'call' }>;
export type FromLane = Extract<FromChild, { kind: 'answer' | 'fault' }> | { readonly kind: 'lane-ready' };

export interface LaneData {
  readonly modulePath: string;
  /** The slot as pkcs11js spells it. */
  readonly slot: Uint8Array;
  /** What is in the slot. */
  readonly token: TokenIdentity;
}
