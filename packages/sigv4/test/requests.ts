import { type AccessKey, type RequestHead, SignatureRefusal, type SignatureVerifier } from '../src/index.ts';

/** A request as a server gets it. */
export interface Received {
  readonly head: RequestHead;
  readonly body: Uint8Array;
}

/** The example key of AWS's documentation. */
export const ACCESS_KEY_ID = 'AKIDEXAMPLE';
export const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

export function accessKey(sessionToken?: string): AccessKey {
  return { secret: () => Buffer.from(SECRET), sessionToken };
}

/** Why a request is refused where `key` is the only access key, or `undefined` where it is not. What is not a refusal is thrown on. */
export function reasonAgainst(
  verifier: SignatureVerifier,
  { head, body }: Received,
  key: AccessKey | undefined,
): string | undefined {
  try {
    const claimed = verifier.read(head);
    claimed.prove(body, claimed.accessKeyId === ACCESS_KEY_ID ? key : undefined);
    return undefined;
  } catch (error) {
    if (error instanceof SignatureRefusal) return error.reason;
    throw error;
  }
}

/** The same head with another value of a header, or without the header. */
export function withHeader(head: RequestHead, name: string, value?: string): RequestHead {
  const rawHeaders: string[] = [];
  for (let at = 0; at < head.rawHeaders.length; at += 2) {
    const sent = head.rawHeaders[at] ?? '';
    if (sent.toLowerCase() !== name.toLowerCase()) rawHeaders.push(sent, head.rawHeaders[at + 1] ?? '');
  }
  if (value !== undefined) rawHeaders.push(name, value);
  return { ...head, rawHeaders };
}
