import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Authorization, readAuthorization } from './authorization.ts';
import { canonicalRequest, stringToSign } from './canonical-request.ts';
import { isOfAws, ReceivedHeaders, type RequestHead } from './received-headers.ts';
import { SignatureRefusal } from './signature-refusal.ts';
import { type AccessKey, scopeText, SigningKeys } from './signing-keys.ts';
import { readSigningTime, requireCurrent, type SigningTime } from './signing-time.ts';

/** What signatures are held to. */
export interface SignatureVerifierOptions {
  /** The region that they have to be for; default: any. */
  readonly region?: string | undefined;
  /** The services that they may be for, such as `kms`. */
  readonly services: readonly string[];
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** How many bytes the request line and the headers may take; default: 16 KiB. */
  readonly maxHeadBytes?: number | undefined;
}

/** Who a request says has signed it, and for what. Nothing of it is believed before it is proven. */
export interface ClaimedSignature {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
  /**
   * Proves that the holder of the access key signed the request, with this body. An unknown key takes the work that a
   * known one takes at its first request of a day.
   *
   * @param body - As received, before it is decoded in any way.
   * @param accessKey - That of `accessKeyId`, the same object for as long as its secret is the same; undefined where there is none.
   * @throws SignatureRefusal unless it is so.
   */
  prove(this: void, body: Uint8Array, accessKey: AccessKey | undefined): void;
}

interface SignedHead {
  readonly head: RequestHead;
  readonly headers: ReceivedHeaders;
  readonly authorization: Authorization;
  readonly time: SigningTime;
}

const MOST_HEAD_BYTES = 16 * 1024;
const PRESIGNED = /[?&](?:X-Amz-Signature|X-Amz-Algorithm|X-Amz-Credential)=/i;

/**
 * Checks AWS Signature Version 4 of requests that carry it in their headers. It works on the request as it was received and on the
 * bytes of its body, and never signs. A signature holds until five minutes after its date, which may be five minutes ahead, and can be
 * sent again until then: only TLS keeps it from others.
 *
 * @example
 * import { SignatureVerifier } from '@qnsp/sigv4';
 * const verifier = new SignatureVerifier({ region: 'us-east-1', services: ['kms'], clock: Date.now });
 * const head = { method: 'POST', target: '/', rawHeaders: ['Host', 'kms.example'] };
 * try {
 *   verifier.read(head).prove(new Uint8Array(), undefined);
 * } catch (error) {
 *   console.log((error as { reason: string }).reason); // missing
 * }
 */
export class SignatureVerifier {
  readonly #options: SignatureVerifierOptions;
  readonly #signingKeys = new SigningKeys();
  /** In place of what nobody has: it takes the same work, and signs nothing that anybody could have made. */
  readonly #nobody: AccessKey = { secret: () => randomBytes(43) };

  constructor(options: SignatureVerifierOptions) {
    this.#options = options;
  }

  /**
   * Reads what a request claims, before its body is there.
   *
   * @throws SignatureRefusal for a head that is too long or ambiguous, has no signature of this kind, or one for another scope or time.
   */
  read(head: RequestHead): ClaimedSignature {
    const { region, services, clock, maxHeadBytes = MOST_HEAD_BYTES } = this.#options;
    const headers = new ReceivedHeaders(head, maxHeadBytes);
    const sent = headers.get('authorization');
    if (PRESIGNED.test(head.target))
      throw new SignatureRefusal('presigned', 'The signature has to be in the Authorization header.');
    if (sent === undefined) throw new SignatureRefusal('missing', 'Missing Authentication Token');
    const authorization = readAuthorization(sent);
    const time = readSigningTime(headers);
    if (
      (region !== undefined && authorization.region !== region) ||
      !services.includes(authorization.service) ||
      authorization.date !== time.text.slice(0, 8)
    )
      throw new SignatureRefusal('scope', 'The credential is scoped to another region, service or date.');
    requireCurrent(time, clock());
    const signed = { head, headers, authorization, time };
    return {
      accessKeyId: authorization.accessKeyId,
      region: authorization.region,
      service: authorization.service,
      prove: (body, accessKey) => this.#prove(signed, body, accessKey),
    };
  }

  #prove(signed: SignedHead, body: Uint8Array, accessKey: AccessKey | undefined): void {
    const payloadHash = hash('sha256', body, 'hex');
    const isSigned = this.#isSigned(signed, payloadHash, accessKey ?? this.#nobody);
    if (accessKey === undefined) throw unrecognized('unknown-access-key');
    requireSessionToken(signed.headers, accessKey);
    requireSigned(signed);
    if ((signed.headers.get('x-amz-content-sha256') ?? payloadHash) !== payloadHash)
      throw new SignatureRefusal('payload-hash', 'X-Amz-Content-Sha256 is not the hash of the body.');
    if (!isSigned) throw new SignatureRefusal('signature', 'The signature is not that of the request.');
  }

  #isSigned({ head, headers, authorization, time }: SignedHead, payloadHash: string, accessKey: AccessKey): boolean {
    const canonical = canonicalRequest(head, headers, authorization.signedHeaders, payloadHash);
    const expected = createHmac('sha256', this.#signingKeys.get(accessKey, authorization))
      .update(stringToSign(time.text, scopeText(authorization), canonical))
      .digest();
    return timingSafeEqual(expected, Buffer.from(authorization.signature, 'hex'));
  }
}

function requireSessionToken(headers: ReceivedHeaders, { sessionToken }: AccessKey): void {
  const sent = headers.get('x-amz-security-token');
  const isRight =
    sent === undefined || sessionToken === undefined
      ? sent === sessionToken
      : timingSafeEqual(hash('sha256', sent, 'buffer'), hash('sha256', sessionToken, 'buffer'));
  if (!isRight) throw unrecognized('session-token');
}

/** Whatever says where the request goes, when it was made and what is to be done is signed, and what is signed is there. */
function requireSigned({ headers, authorization, time }: SignedHead): void {
  const signed = new Set(authorization.signedHeaders);
  const needed = [...headers.names()].filter((name) => isOfAws(name) || name === 'content-type');
  const isComplete =
    ['host', time.header, ...needed].every((name) => signed.has(name)) &&
    authorization.signedHeaders.every((name) => headers.all(name) !== undefined);
  if (!isComplete) throw new SignatureRefusal('signed-headers', 'A header that has to be signed is not signed.');
}

function unrecognized(reason: 'unknown-access-key' | 'session-token'): SignatureRefusal {
  return new SignatureRefusal(reason, 'The security token included in the request is invalid.');
}
