import { createHash, createHmac } from 'node:crypto';

/** A request to sign. */
export interface Unsigned {
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region?: string;
  readonly service?: string;
  readonly at?: number;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** The headers of a signed `POST /`, by the description of Signature Version 4. The signers of AWS vouch for the verifier elsewhere. */
export function signedHeaders({ host, headers, body, accessKeyId, secretAccessKey, ...rest }: Unsigned) {
  const { region = 'us-east-1', service = 'kms', at = Date.now() } = rest;
  const date = new Date(at).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const sent = { ...headers, 'x-amz-date': date };
  const signed = Object.entries({ ...sent, host }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(';');
  const canonical = [
    'POST',
    '/',
    '',
    ...signed.map((pair) => pair.join(':')),
    '',
    names,
    createHash('sha256').update(body).digest('hex'),
  ].join('\n');
  const scope = `${date.slice(0, 8)}/${region}/${service}/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;
  const key = scope.split('/').reduce<Buffer | string>(hmac, `AWS4${secretAccessKey}`);
  const signature = hmac(key, toSign).toString('hex');
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}
