import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { request } from 'node:http';
import { makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS } from '@qnsp/http-edge/testing';
import { awsKmsDialect } from '../src/index.ts';
import { signedHeaders, type Unsigned } from './signed-request.ts';

/** A request as it goes out, byte by byte. */
export interface Sent {
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer of AWS KMS, or of the Security Token Service. */
export interface AwsAnswer {
  readonly status: number;
  readonly text: string;
  /** The name of the error; absent for a success. */
  readonly type: string | undefined;
  readonly message: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** A port on which AWS KMS is spoken over a store in memory. */
export async function awsPort() {
  const under = await edgeUnderTest();
  const http = makeHttpServer(under.edge, [awsKmsDialect({ region: 'us-east-1' })], HTTP_LIMITS);
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
  const { port } = http.server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const accessKey = under.accessKeyOf(under.token);
  if (accessKey === undefined) throw new Error('the token has no access key');
  const send = async ({ path = '/', headers, body }: Sent): Promise<AwsAnswer> => {
    const outgoing = request({ port, host: '127.0.0.1', path, method: 'POST', headers: { host, ...headers } });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [
      NodeJS.ReadableStream & { statusCode: number; headers: AwsAnswer['headers'] },
    ];
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
    const text = Buffer.concat(chunks).toString();
    const said = text.startsWith('{') ? (JSON.parse(text) as Readonly<Record<string, string>>) : {};
    return {
      status: incoming.statusCode,
      text,
      type: said['__type'],
      message: said['message'],
      headers: incoming.headers,
    };
  };
  const sign = (headers: Unsigned['headers'], body: Buffer, change: Partial<Unsigned> = {}): Sent => ({
    headers: signedHeaders({ host, headers, body, ...accessKey, ...change }),
    body,
  });
  const signed = (action: string, body: Buffer, change: Partial<Unsigned> = {}): Sent =>
    sign({ 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${action}` }, body, change);
  const call = (action: string, body: unknown) =>
    send(signed(action, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))));
  return { ...under, accessKey, send, sign, signed, call, stop: () => http.stop() };
}
