import { CKA, CKR } from './cryptoki.ts';
import type { TokenIdentity } from './messages.ts';

/**
 * What tokens do differently from one another, where PKCS #11 leaves it open or is not followed. The code asks a flag where it
 * matters, and never for the name of a vendor.
 */
export interface Quirks {
  /**
   * What it answers to a wrong tag, and to any request if it is broken itself. Decrypting a block that cannot be wrong tells
   * which of the two it was.
   */
  readonly unclearDecryptFailures: readonly number[];
  /** How it says that it has RSA-OAEP, but not with SHA-256. Only a try tells: the list of mechanisms names no hash. */
  readonly lacksOaepHash: readonly number[];
  /** How it refuses a template for an attribute that it does not know: CKA_COPYABLE came with v2.40. */
  readonly unknownAttribute: readonly number[];
  /** Attributes that its keys may lack. Where a key has one, its value counts. */
  readonly mayLack: readonly number[];
  /** Whether CKA_EC_POINT may be the point itself, without the OCTET STRING around it. */
  readonly bareEcPoint: boolean;
}

/** What is put up with in a token of which nothing is known. */
const UNKNOWN: Quirks = {
  unclearDecryptFailures: [CKR.generalError, CKR.functionFailed],
  lacksOaepHash: [CKR.argumentsBad, CKR.mechanismInvalid, CKR.mechanismParamInvalid],
  unknownAttribute: [CKR.attributeTypeInvalid, CKR.templateInconsistent],
  mayLack: [CKA.copyable, CKA.signRecover],
  bareEcPoint: true,
};

interface KnownTokens {
  readonly manufacturer: string;
  /** Every model of the manufacturer without it. */
  readonly model?: string;
  readonly quirks: Partial<Quirks>;
}

/** Tokens that a test runs against. A vendor's quirk is added here, beside the test or the report that showed it. */
const KNOWN: readonly KnownTokens[] = [
  { manufacturer: 'SoftHSM project', model: 'SoftHSM v2', quirks: { mayLack: [], bareEcPoint: false } },
];

/** The quirks of a token; those of an unknown one as long as none was seen. */
export function quirksOf(token: Pick<TokenIdentity, 'manufacturer' | 'model'> | null): Quirks {
  const known = KNOWN.find(
    ({ manufacturer, model }) => manufacturer === token?.manufacturer && (model === undefined || model === token.model),
  );
  return known === undefined ? UNKNOWN : { ...UNKNOWN, ...known.quirks };
}
