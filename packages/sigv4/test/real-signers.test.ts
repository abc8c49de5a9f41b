import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request, type RequestOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignatureV4 } from '@smithy/signature-v4';
import aws4 from 'aws4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SignatureVerifier } from '../src/index.ts';
import { ACCESS_KEY_ID, accessKey, reasonAgainst, type Received, SECRET } from './requests.ts';

const SESSION_TOKEN = 'FwoGZXIvYXdzEJr//////////wEaDP+/=';
const verifier = new SignatureVerifier({ region: 'eu-central-1', services: ['kms', 'sts'], clock: Date.now });

/** What node:http makes of requests that came over a connection. */
const arrived: Received[] = [];
const server = createServer((incoming, response) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => {
    const { method = '', url: target = '', rawHeaders } = incoming;
    arrived.push({ head: { method, target, rawHeaders }, body: Buffer.concat(chunks) });
    response.end();
  });
});
let port = 0;

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.close();
});

async function sent(options: RequestOptions, body: string): Promise<Received> {
  const outgoing = request({ ...options, host: '127.0.0.1', port });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [NodeJS.ReadableStream];
  response.resume();
  const received = arrived.pop();
  if (received === undefined) throw new Error('no request arrived');
  return received;
}

/** Of node:crypto, as the signers of the SDK want it. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac('sha256', typeof secret === 'string' ? secret : bytes(secret));
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === 'string' ? data : bytes(data));
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {
    throw new Error('not used');
  }
}

function bytes(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

interface Call {
  readonly named: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string | string[]>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly service: 'kms' | 'sts';
}

const KMS_CALL: Call = {
  named: 'a call of AWS KMS',
  path: '/',
  query: {},
  headers: {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'TrentService.Encrypt',
    'amz-sdk-request': 'attempt=1; max=3',
    'x-amz-user-agent': 'aws-sdk-js/3.0.0',
  },
  body: '{"KeyId":"alias/one","Plaintext":"AAECAw=="}',
  service: 'kms',
};

const CALLS: readonly Call[] = [
  KMS_CALL,
  { ...KMS_CALL, named: 'one without a body', body: '' },
  { ...KMS_CALL, named: 'one with a body in UTF-8', body: '{"Description":"für später ✓"}' },
  { ...KMS_CALL, named: 'blanks within a header', headers: { ...KMS_CALL.headers, 'x-amz-note': '  a   b  c ' } },
  { ...KMS_CALL, named: 'a query', query: { b: '2', a: '1 2/3', 'ü?': 'é&=+%41', B: '', '-._~': "!*'()" } },
  { ...KMS_CALL, named: 'a name that is repeated in a query', query: { a: ['3', '1', '2'], b: '0' } },
  { ...KMS_CALL, named: 'a path', path: '/some/path%20of%2Fmine/' },
  {
    ...KMS_CALL,
    named: 'a call of AWS STS',
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    body: 'Action=GetCallerIdentity&Version=2011-06-15',
    service: 'sts',
  },
];

/** RFC 3986, as SDKs write it on the request line. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!*'()]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function targetOf({ path, query }: Call): string {
  const parameters = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => `${escaped(name)}=${escaped(value)}`),
  );
  return parameters.length === 0 ? path : `${path}?${parameters.join('&')}`;
}

/** The signer of AWS's SDK for JavaScript. */
async function signedBySdk(call: Call, sessionToken?: string): Promise<Received> {
  const signer = new SignatureV4({
    service: call.service,
    region: 'eu-central-1',
    sha256: Sha256,
    credentials: {
      accessKeyId: ACCESS_KEY_ID,
      secretAccessKey: SECRET,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
  });
  const { path, query, headers, body } = call;
  const signed = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname: '127.0.0.1',
    port,
    path,
    query: { ...query },
    headers: { ...headers, host: `127.0.0.1:${port}`, 'content-length': String(Buffer.byteLength(body)) },
    body,
  });
  return sent({ method: 'POST', path: targetOf(call), headers: signed.headers }, body);
}

/** A signer that nobody at AWS wrote. */
async function signedByAws4(call: Call, sessionToken?: string): Promise<Received> {
  const { headers, body, service } = call;
  const signed = aws4.sign(
    {
      method: 'POST',
      path: targetOf(call),
      headers: { ...headers, Host: `127.0.0.1:${port}` },
      body,
      service,
      region: 'eu-central-1',
    },
    { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET, ...(sessionToken === undefined ? {} : { sessionToken }) },
  );
  return sent({ method: 'POST', path: targetOf(call), headers: signed.headers }, body);
}

const SIGNERS = [
  ['the SDK for JavaScript', signedBySdk],
  ['aws4', signedByAws4],
] as const;

describe.each(SIGNERS)('what %s signed and node:http received', (_, signed) => {
  it.each(CALLS.map((call) => [call.named, call] as const))('holds: %s', async (__, call) => {
    expect(reasonAgainst(verifier, await signed(call), accessKey())).toBeUndefined();
  });

  it('holds with a session token, and with that one alone', async () => {
    const received = await signed(KMS_CALL, SESSION_TOKEN);
    expect(reasonAgainst(verifier, received, accessKey(SESSION_TOKEN))).toBeUndefined();
    expect(reasonAgainst(verifier, received, accessKey(`${SESSION_TOKEN}=`))).toBe('session-token');
    expect(reasonAgainst(verifier, received, accessKey())).toBe('session-token');
  });

  it('holds under no other secret', async () => {
    const other = { secret: () => Buffer.from(SECRET.toLowerCase()) };
    expect(reasonAgainst(verifier, await signed(KMS_CALL), other)).toBe('signature');
  });
});
