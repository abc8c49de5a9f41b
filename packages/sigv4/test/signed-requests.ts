import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { ACCESS_KEY_ID, type Received, SECRET } from './requests.ts';

/** What a client could send to this service. */
export interface Sent {
  readonly target: string;
  /** Without those of the signature. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly signedBodyHash: boolean;
  readonly date: string;
}

const word = fc.stringMatching(/^[A-Za-z0-9]{1,8}$/);
const value = fc.stringMatching(/^[!-~](?:[ -~]{0,16}[!-~])?$/);
const query = fc.array(fc.tuple(word, word), { maxLength: 3 });

export const SENT: fc.Arbitrary<Sent> = fc
  .record({
    path: fc.array(word, { maxLength: 3 }),
    query,
    target: fc.constantFrom('Encrypt', 'Decrypt', 'Sign', 'CreateKey'),
    others: fc.uniqueArray(fc.tuple(word, value), { maxLength: 2, selector: ([name]) => name.toLowerCase() }),
    body: fc.string({ maxLength: 24 }),
    signedBodyHash: fc.boolean(),
  })
  .map(({ path, query: parameters, target, others, body, signedBodyHash }) => ({
    target: `/${path.join('/')}${parameters.length === 0 ? '' : `?${parameters.map((pair) => pair.join('=')).join('&')}`}`,
    headers: [
      ['Host', 'kms.example:8095'],
      ['Content-Type', 'application/x-amz-json-1.1'],
      ['X-Amz-Target', `TrentService.${target}`],
      ...others.map(([name, text]) => [`My-${name}`, text] as const),
    ],
    body,
    signedBodyHash,
    date: '20260131T120000Z',
  }));

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/**
 * Signs by the description of the algorithm, for what is sent here alone: a path without dots, names and values without escapes, no
 * header twice. The published signatures and real signers vouch for the verifier; this makes requests of which all parts are known.
 */
export function signed({ target, headers, body, signedBodyHash, date }: Sent): Received {
  const payloadHash = createHash('sha256').update(body).digest('hex');
  const all = [
    ...headers,
    ['X-Amz-Date', date] as const,
    ...(signedBodyHash ? [['X-Amz-Content-Sha256', payloadHash] as const] : []),
  ];
  const sorted = all.map(([name, text]) => [name.toLowerCase(), text.replaceAll(/ +/g, ' ')] as const).toSorted();
  const [path = '', search = ''] = target.split('?');
  const parameters = search.split('&').toSorted((a, b) => (a.split('=').join('\0') < b.split('=').join('\0') ? -1 : 1));
  const names = sorted.map(([name]) => name).join(';');
  const canonical = [
    'POST',
    path,
    parameters.join('&'),
    ...sorted.map((pair) => pair.join(':')),
    '',
    names,
    payloadHash,
  ].join('\n');
  const scope = `${date.slice(0, 8)}/us-east-1/kms/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;
  const key = scope.split('/').reduce<Buffer | string>(hmac, `AWS4${SECRET}`);
  const signature = hmac(key, toSign).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY_ID}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return {
    head: { method: 'POST', target, rawHeaders: [...all.flat(), 'Authorization', authorization] },
    body: Buffer.from(body),
  };
}
