import { isJwtAlgorithm, type JwtAlgorithm } from './algorithms.ts';
import { Refusal } from './refusal.ts';
import { type JsonObject, parseStrictObject } from './strict-json.ts';

/** Longer ones are refused before they are looked at. */
const MOST_CHARACTERS = 16 * 1024;
const MOST_KID_CHARACTERS = 512;

/** A token in its parts, none of which is believed yet. */
export interface ReadToken {
  readonly algorithm: JwtAlgorithm;
  readonly kid: string | undefined;
  readonly claims: JsonObject;
}

/**
 * Reads a token in compact form (RFC 7515) without believing any of it. Of the header only `alg` and `kid` are looked at; `jku`, `jwk`,
 * `x5u` and `x5c`, by which a token could bring the key that it is to be verified with, are not.
 *
 * @throws Refusal for one that is too long, is not as the RFC spells it, or asks for something that has to be understood.
 */
export function readToken(token: string): ReadToken {
  if (token.length > MOST_CHARACTERS) throw new Refusal('too-long');
  const parts = token.split('.');
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined)
    throw new Refusal('malformed');
  if (![header, payload, signature].every(isCanonical)) throw new Refusal('malformed');
  const { alg, kid, crit, b64 } = objectIn(header);
  if (crit !== undefined || b64 !== undefined) throw new Refusal('critical-header');
  if (!isJwtAlgorithm(alg)) throw new Refusal('algorithm');
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MOST_KID_CHARACTERS))
    throw new Refusal('malformed');
  return { algorithm: alg, kid, claims: objectIn(payload) };
}

/** Whether a part is spelt in the one way in which its bytes are: without padding and stray bits. */
function isCanonical(part: string): boolean {
  return part.length > 0 && Buffer.from(part, 'base64url').toString('base64url') === part;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function objectIn(part: string): JsonObject {
  let text: string;
  try {
    text = UTF8.decode(Buffer.from(part, 'base64url'));
  } catch {
    throw new Refusal('malformed');
  }
  const parsed = parseStrictObject(text);
  if (parsed === undefined) throw new Refusal('malformed');
  return parsed;
}
