/** What a member of a request has to be, as the service model of AWS says it. */
export type Shape = TextShape | BlobShape | WholeShape | FlagShape | ContextShape | ListShape | AnyShape;

/** A text. */
export interface TextShape {
  readonly kind: 'text';
  /** Characters. */
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: RegExp;
  readonly values?: readonly string[];
}

/** Bytes, in base64. */
interface BlobShape {
  readonly kind: 'blob';
  readonly min: number;
  readonly max: number;
}

/** A whole number. */
interface WholeShape {
  readonly kind: 'whole';
  readonly min: number;
  readonly max: number;
}

/** `true` or `false`. */
interface FlagShape {
  readonly kind: 'flag';
}

/** Texts by name. */
interface ContextShape {
  readonly kind: 'context';
}

/** A list of texts. */
interface ListShape {
  readonly kind: 'list';
  readonly max: number;
  readonly of: TextShape;
}

/** What is refused anyway, whatever it holds. */
interface AnyShape {
  readonly kind: 'any';
}

/** A member of a request. */
export type Member = Shape & { readonly required?: true };
/** The members of a request by name; any other is ignored. */
export type Members = Readonly<Record<string, Member>>;

type Value<S extends Shape> = S extends TextShape
  ? string
  : S extends BlobShape
    ? Buffer
    : S extends WholeShape
      ? number
      : S extends FlagShape
        ? boolean
        : S extends ContextShape
          ? Readonly<Record<string, string>>
          : S extends ListShape
            ? readonly string[]
            : unknown;

/** A request that has these members. */
export type InputOf<M extends Members> = {
  readonly [Name in keyof M as M[Name] extends { readonly required: true } ? Name : never]: Value<M[Name]>;
} & { readonly [Name in keyof M as M[Name] extends { readonly required: true } ? never : Name]?: Value<M[Name]> };

/** The member has to be there. */
export function required<S extends Shape>(shape: S): S & { readonly required: true } {
  return { ...shape, required: true };
}

export const KEY_ID = { kind: 'text', min: 1, max: 2048 } as const satisfies Shape;
export const FLAG = { kind: 'flag' } as const satisfies Shape;
export const CONTEXT = { kind: 'context' } as const satisfies Shape;
export const ANY = { kind: 'any' } as const satisfies Shape;
/** What is signed, authenticated or encrypted. */
export const MESSAGE = { kind: 'blob', min: 1, max: 4096 } as const satisfies Shape;
/** What AWS made of it. */
export const SEALED = { kind: 'blob', min: 1, max: 6144 } as const satisfies Shape;
export const MARKER = { kind: 'text', min: 1, max: 1024, pattern: /^[\u0020-\u00FF]*$/ } as const satisfies Shape;
export const LIMIT = { kind: 'whole', min: 1, max: 1000 } as const satisfies Shape;
const GRANT_TOKENS = { kind: 'list', max: 10, of: { kind: 'text', min: 1, max: 8192 } } as const satisfies Shape;

/** What every use of a key takes, and this service refuses for now. */
export const USE = { GrantTokens: GRANT_TOKENS, DryRun: FLAG, Recipient: ANY } as const satisfies Members;

/** One of these texts. */
export function oneOf<const V extends readonly string[]>(values: V): TextShape & { readonly values: V } {
  return { kind: 'text', values };
}
