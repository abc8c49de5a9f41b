import type { ReceivedHeaders } from './received-headers.ts';
import { SignatureRefusal } from './signature-refusal.ts';

/** When a request says that it was signed. */
export interface SigningTime {
  /** The header that says it, in lower case. */
  readonly header: 'x-amz-date' | 'date';
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** How far the clocks of both sides may be apart. */
const SKEW_MS = 5 * 60 * 1000;
const BASIC = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** @throws SignatureRefusal where neither header has a time that exists. */
export function readSigningTime(headers: ReceivedHeaders): SigningTime {
  const amzDate = headers.get('x-amz-date');
  const at = Date.parse(
    amzDate === undefined ? (headers.get('date') ?? '') : amzDate.replace(BASIC, '$1-$2-$3T$4:$5:$6Z'),
  );
  // Spelt otherwise, or on a day that does not exist, it comes back as another text.
  if (Number.isNaN(at) || (amzDate === undefined ? headers.get('date') !== httpDate(at) : amzDate !== basic(at)))
    throw new SignatureRefusal('incomplete', 'X-Amz-Date has to be a time such as 20260131T235959Z.');
  return { header: amzDate === undefined ? 'date' : 'x-amz-date', text: basic(at), at };
}

/** @throws SignatureRefusal where it is further from the present than clocks may be. */
export function requireCurrent({ text, at }: SigningTime, now: number): void {
  if (at < now - SKEW_MS)
    throw new SignatureRefusal(
      'expired',
      `Signature expired: ${text} is now earlier than ${basic(now - SKEW_MS)} (${basic(now)} - 5 min.)`,
    );
  if (at > now + SKEW_MS)
    throw new SignatureRefusal(
      'not-yet-current',
      `Signature not yet current: ${text} is still later than ${basic(now + SKEW_MS)} (${basic(now)} + 5 min.)`,
    );
}

function basic(at: number): string {
  return new Date(at).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
}

/** As RFC 9110, section 5.6.7, prefers it. */
function httpDate(at: number): string {
  return new Date(at).toUTCString();
}
