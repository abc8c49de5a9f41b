import { uuidFromBytes, uuidToBytes } from '../model/identifiers.ts';

/** What signs requests in place of a token that is sent with them. */
export interface AccessKeyCredentials {
  /** 30 letters and digits: names the token, and is no secret. */
  readonly accessKeyId: string;
  /** 43 characters of base64url. It is derived when it is needed, and stored nowhere. */
  readonly secretAccessKey: string;
}

const PREFIX = 'AKQN';
/** RFC 4648, section 6. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const BITS = 5n;
/** 16 bytes and two bits in 26 characters. */
const CHARACTERS = 26;
const PADDING_BITS = 2n;
const SPELLING = new RegExp(`^${PREFIX}[A-Z2-7]{${CHARACTERS}}$`);

/** The access key id of a token: the prefix, and the 16 bytes of its id in base32 without padding. */
export function accessKeyIdOf(tokenId: string): string {
  let bits = BigInt(`0x${uuidToBytes(tokenId).toString('hex')}`) << PADDING_BITS;
  let text = '';
  for (let at = 0; at < CHARACTERS; at += 1) {
    text = `${ALPHABET.charAt(Number(bits & 31n))}${text}`;
    bits >>= BITS;
  }
  return `${PREFIX}${text}`;
}

/** The id of the token that an access key id names; `undefined` for what names none. */
export function tokenIdOf(accessKeyId: string): string | undefined {
  if (!SPELLING.test(accessKeyId)) return undefined;
  let bits = 0n;
  for (const character of accessKeyId.slice(PREFIX.length)) bits = (bits << BITS) | BigInt(ALPHABET.indexOf(character));
  const bytes = Buffer.from((bits >> PADDING_BITS).toString(16).padStart(32, '0'), 'hex');
  const tokenId = uuidFromBytes(bytes);
  // Of the spellings that differ in the last two bits one is right.
  return accessKeyIdOf(tokenId) === accessKeyId ? tokenId : undefined;
}
