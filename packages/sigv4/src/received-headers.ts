import { SignatureRefusal } from './signature-refusal.ts';

/** A request without its body, as it came over the connection: nothing of it is decoded, joined or normalized. */
export interface RequestHead {
  /** Such as `POST`. */
  readonly method: string;
  /** The target of the request line, such as `/?a=b`: `url` of an `IncomingMessage`, one character for each byte. */
  readonly target: string;
  /** Names and values in turns, in the order received: `rawHeaders` of an `IncomingMessage`, one character for each byte. */
  readonly rawHeaders: readonly string[];
}

/** What decides about the signature or about what is done, so that no two readers may see two values. */
const ONCE: ReadonlySet<string> = new Set(['authorization', 'content-length', 'content-type', 'date', 'host']);
const BYTES_AROUND_A_HEADER = 4;

/** The headers of a request by their names in lower case, each with its values in the order received. */
export class ReceivedHeaders {
  readonly #values = new Map<string, string[]>();

  /** @throws SignatureRefusal for a head of more bytes, one that holds what no byte is, and repeated headers that say what is done. */
  constructor({ method, target, rawHeaders }: RequestHead, maxBytes: number) {
    let bytes = method.length + target.length;
    for (const text of rawHeaders) bytes += text.length;
    bytes += (rawHeaders.length / 2) * BYTES_AROUND_A_HEADER;
    if (bytes > maxBytes) throw new SignatureRefusal('too-large', 'The headers of the request are too long.');
    if (!areBytes(method) || !areBytes(target) || !rawHeaders.every(areBytes))
      throw new SignatureRefusal('incomplete', 'The request holds a character that is not one byte.');
    if (!target.startsWith('/'))
      throw new SignatureRefusal('incomplete', 'The target of the request has to be a path.');
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) this.#add(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  }

  #add(nameAsSent: string, value: string): void {
    const name = nameAsSent.toLowerCase();
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else if (ONCE.has(name) || isOfAws(name))
      throw new SignatureRefusal('duplicate-header', 'A header that may be sent once is repeated.');
    else values.push(value);
  }

  /** The value of a header that is sent once; undefined where it is not sent. */
  get(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** All values of a header; undefined where it is not sent. */
  all(name: string): readonly string[] | undefined {
    return this.#values.get(name);
  }

  /** The names, in lower case. */
  names(): Iterable<string> {
    return this.#values.keys();
  }
}

/** Whether a header has a meaning of its own in AWS's interfaces; `x-amzn-` ones are for tracing. */
export function isOfAws(name: string): boolean {
  return name.startsWith('x-amz-');
}

function areBytes(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0xff) return false;
  return true;
}
