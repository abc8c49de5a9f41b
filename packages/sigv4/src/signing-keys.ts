import { createHmac } from 'node:crypto';

/** The secret of an access key. */
export interface AccessKey {
  /** Makes the secret; asked for only where the key of a scope is not held. Wiped after use. */
  secret(): Uint8Array;
  /** The session token that has to be sent with the key; default: none may be. */
  readonly sessionToken?: string | undefined;
}

/** What a signature is made with: the day, the region and the service that a key is derived for. */
export interface Scope {
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** A day, its neighbour around midnight, and two services of each. */
const MOST_SCOPES = 4;

/**
 * The signing keys that were derived, by access key and scope. They are held no longer than the object of the access key is: who
 * forgets a token forgets them with it. Of each access key the last few scopes are held.
 */
export class SigningKeys {
  readonly #held = new WeakMap<AccessKey, Map<string, Buffer>>();

  /** The key that requests in this scope are signed with. */
  get(accessKey: AccessKey, scope: Scope): Buffer {
    const name = scopeText(scope);
    const ofKey = this.#held.get(accessKey) ?? new Map<string, Buffer>();
    const held = ofKey.get(name);
    if (held !== undefined) return held;
    const derived = derive(accessKey, scope);
    for (const [oldest, key] of ofKey) {
      if (ofKey.size < MOST_SCOPES) break;
      key.fill(0);
      ofKey.delete(oldest);
    }
    ofKey.set(name, derived);
    this.#held.set(accessKey, ofKey);
    return derived;
  }
}

/** As it stands in credentials and in what is signed. */
export function scopeText({ date, region, service }: Scope): string {
  return `${date}/${region}/${service}/aws4_request`;
}

function derive(accessKey: AccessKey, { date, region, service }: Scope): Buffer {
  const secret = accessKey.secret();
  const first = Buffer.concat([Buffer.from('AWS4'), secret]);
  const chain = [first];
  try {
    for (const text of [date, region, service, 'aws4_request'])
      chain.push(
        createHmac('sha256', chain.at(-1) ?? first)
          .update(text)
          .digest(),
      );
    return Buffer.from(chain.at(-1) ?? first);
  } finally {
    secret.fill(0);
    for (const key of chain) key.fill(0);
  }
}
