import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS, ParsedRequests } from '@qnsp/http-edge/testing';
import { freePort, startHaproxy, startNginx, tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { qnsp } from '../dialects.ts';

const LIMITS = { ...HTTP_LIMITS, maxConnections: 1000, shutdownTimeoutMs: 1000 };
/** What is answered is answered by then, unless the machine is slow: a request that came through is waited for longer. */
const HEARD_MS = 300;
const LATE_MS = 5000;
const ALL_MS = 300_000;
/** The id of the request that an attack carries into the connection between gateway and service. */
const SMUGGLED = 'smuggled';

/** A gateway that keeps one connection to the service, so that whatever an attack leaves in it meets the next request. */
type Start = (upstream: number, port: number, directory: string) => Promise<{ stop(): Promise<void> }>;

const nginx =
  (buffering: 'on' | 'off'): Start =>
  (upstream, port, directory) => {
    const configuration = join(directory, `nginx-${buffering}.conf`);
    writeFileSync(
      configuration,
      `worker_processes 1;
events { worker_connections 256; }
http {
  access_log off;
  client_max_body_size 16m;
  upstream kms { server 127.0.0.1:${upstream}; keepalive 1; }
  server {
    listen 127.0.0.1:${port};
    underscores_in_headers on;
    ignore_invalid_headers off;
    location / {
      proxy_pass http://kms;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_request_buffering ${buffering};
    }
  }
}
`,
    );
    return startNginx({ configuration, templates: [], variables: {}, port });
  };

const haproxy: Start = (upstream, port) =>
  startHaproxy(
    `global
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  timeout http-keep-alive 5s
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  option accept-invalid-http-request
  default_backend kms
backend kms
  option accept-invalid-http-response
  server kms 127.0.0.1:${upstream} maxconn 1 pool-max-conn 1
`,
    port,
  );

const GATEWAYS: readonly (readonly [name: string, start: Start])[] = [
  ['nginx', nginx('on')],
  ['nginx that passes bodies on as they come', nginx('off')],
  ['HAProxy', haproxy],
];

/** What an attack does, and its bytes. */
type Attack = readonly [name: string, bytes: string];

/** Requests that a gateway and a service may end at different bytes, each with another request in the bytes in between. */
function attacks(path: string, token: string): readonly Attack[] {
  const body = JSON.stringify({ plaintext: 'AA==' });
  const line = `POST ${path} HTTP/1.1\r\nhost: kms\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`;
  const inner = `${line}x-request-id: ${SMUGGLED}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  const end = '0\r\n\r\n';
  const lengths = ['+$', '0$', '$ ', '$, $', '$,0', '0x$', '$.0', '$\t', '-$', '\u000b$'];
  const codings = [
    'chunked',
    'Chunked',
    ' chunked ',
    '\tchunked',
    'xchunked',
    'chunked, identity',
    'identity, chunked',
    '"chunked"',
    'chunked\u0000',
    '\u000bchunked',
    'chunked;q=1',
  ];
  const named = [
    'Transfer-Encoding',
    'transfer_encoding',
    'Transfer-Encoding ',
    ' Transfer-Encoding',
    'Transfer-Encoding\t',
  ];
  return [
    ...lengths.map(
      (form): Attack => [
        `a length of ${JSON.stringify(form)}`,
        `${line}content-length: ${form.replaceAll('$', String(body.length))}\r\n\r\n${body}${inner}`,
      ],
    ),
    [
      'two lengths, the first one longer',
      `${line}content-length: ${(body + inner).length}\r\ncontent-length: ${body.length}\r\n\r\n${body}${inner}`,
    ],
    [
      'two lengths, the last one longer',
      `${line}content-length: ${body.length}\r\ncontent-length: ${(body + inner).length}\r\n\r\n${body}${inner}`,
    ],
    [
      'two lengths that agree',
      `${line}content-length: ${body.length}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ],
    [
      'a length beside content_length',
      `${line}content_length: ${body.length}\r\ncontent-length: ${(body + inner).length}\r\n\r\n${body}${inner}`,
    ],
    ...named.flatMap((name) =>
      codings.map(
        (coding): Attack => [
          `${JSON.stringify(name)} of ${JSON.stringify(coding)} before a length`,
          `${line}${name}: ${coding}\r\ncontent-length: ${(chunk(body) + end + inner).length}\r\n\r\n${chunk(body)}${end}${inner}`,
        ],
      ),
    ),
    [
      'a transfer after a length',
      `${line}content-length: ${(chunk(body) + end + inner).length}\r\ntransfer-encoding: chunked\r\n\r\n${chunk(body)}${end}${inner}`,
    ],
    [
      'a length that is shorter than its chunks',
      `${line}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n${chunk(inner)}${end}`,
    ],
    [
      'two transfers',
      `${line}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n${chunk(body)}${end}${inner}`,
    ],
    [
      'a chunk whose size has an extension with LF',
      `${line}transfer-encoding: chunked\r\n\r\n${body.length.toString(16)};a\n${body}\r\n${end}${inner}`,
    ],
    [
      'a chunk whose size ends in LF',
      `${line}transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\n${body}\n0\n\n${inner}`,
    ],
    [
      'a chunk of too large a size',
      `${line}transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n${body}\r\n${end}${inner}`,
    ],
    [
      'a trailer with a length',
      `${line}transfer-encoding: chunked\r\n\r\n${chunk(body)}0\r\ncontent-length: ${inner.length}\r\n\r\n${inner}`,
    ],
    ['a folded length', `${line}x-what: a\r\n content-length: 0\r\ncontent-length: ${body.length}\r\n\r\n${body}`],
    [
      'a length in a field that ends in LF',
      `${line}x-what: a\ncontent-length: 0\r\ncontent-length: ${(body + inner).length}\r\n\r\n${body}${inner}`,
    ],
    [
      'a length in a field that ends in CR',
      `${line}x-what: a\rcontent-length: 0\r\ncontent-length: ${(body + inner).length}\r\n\r\n${body}${inner}`,
    ],
    ['a head whose lines end in LF', `${line.replaceAll('\r\n', '\n')}content-length: ${body.length}\n\n${body}`],
    ['a head that ends in LF LF', `${line}content-length: ${body.length}\n\n${body}${inner}`],
    [
      'a connection that names its length',
      `${line}connection: content-length\r\ncontent-length: ${(body + inner).length}\r\n\r\n${body}${inner}`,
    ],
    [
      'a connection that names its transfer',
      `${line}connection: transfer-encoding\r\ntransfer-encoding: chunked\r\n\r\n${chunk(body)}${end}`,
    ],
    [
      'an upgrade with a request behind it',
      `${line}connection: upgrade\r\nupgrade: h2c\r\ncontent-length: ${body.length}\r\n\r\n${body}${inner}`,
    ],
    [
      'a go-ahead that is not waited for',
      `${line}expect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ],
    [
      'a go-ahead and a body that does not come whole',
      `${line}expect: 100-continue\r\ncontent-length: ${(body + inner).length}\r\n\r\n${body}`,
    ],
    [
      'another expectation',
      `${line}expect: a-wonder\r\ncontent-length: ${(body + inner).length}\r\n\r\n${body}${inner}`,
    ],
    ['a HEAD with a body', `${line.replace('POST', 'HEAD')}content-length: ${inner.length}\r\n\r\n${inner}`],
    ['a GET with a body', `${line.replace('POST', 'GET')}content-length: ${inner.length}\r\n\r\n${inner}`],
    [
      'an unknown path with a body',
      `${line.replace('/encrypt', '/nothing')}content-length: ${inner.length}\r\n\r\n${inner}`,
    ],
    ['a body that is refused before it has come', `${line}content-length: 9000000\r\n\r\n${inner}`],
    ['a compressed body', `${line}content-encoding: gzip\r\ncontent-length: ${inner.length}\r\n\r\n${inner}`],
    [
      'a wrong credential and a request as its body',
      `${line.replace(token, `${token}x`)}content-length: ${inner.length}\r\n\r\n${inner}`,
    ],
    ['a request as its body', `${line}content-length: ${inner.length}\r\n\r\n${inner}`],
    [
      'HTTP/1.0 with a transfer',
      `${line.replace('1.1', '1.0')}transfer-encoding: chunked\r\n\r\n${chunk(body)}${end}${inner}`,
    ],
    ['HTTP/0.9', `POST ${path}\r\n${inner}`],
    [
      'an absolute target of another host',
      `${line.replace(path, `http://other${path}`)}content-length: ${body.length}\r\n\r\n${body}`,
    ],
    ['a field with a NUL', `${line}x-what: a\u0000b\r\ncontent-length: ${body.length}\r\n\r\n${body}`],
    ['bytes beyond ASCII', `${line}x-what: \u00e9\r\ncontent-length: ${body.length}\r\n\r\n${body}`],
    ['a head of 6 KiB', `${line}x-what: ${'x'.repeat(6000)}\r\ncontent-length: ${body.length}\r\n\r\n${body}`],
    ['a half body, and the end', `${line}content-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`],
  ];
}

describe.each(GATEWAYS)('%s before the service', (_name, start) => {
  const directory = tempDir('qnsp-gateways-');
  let under: Awaited<ReturnType<typeof edgeUnderTest>>;
  let port: number;
  let server: Server;
  let parsed: ParsedRequests;
  const stops: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    under = await edgeUnderTest();
    const http = makeHttpServer(under.edge, [qnsp.dialect], { ...LIMITS, socketFastPath: true });
    server = http.server;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    parsed = new ParsedRequests(server);
    port = await freePort();
    const gateway = await start((server.address() as AddressInfo).port, port, directory.path);
    stops.push(
      () => gateway.stop(),
      () => http.stop(),
    );
  });
  afterAll(async () => {
    parsed.stop();
    for (const stop of stops) await stop();
    await directory.remove();
  });

  const smuggledLines = () => under.lines.filter((line) => line.includes(SMUGGLED)).length;
  /** Sends bytes on a connection of their own, and hears what comes within some time. */
  const say = async (bytes: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    const heard: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => heard.push(chunk));
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(Buffer.from(bytes, 'latin1'));
    await Promise.race([closed, sleep(HEARD_MS)]);
    const text = () => Buffer.concat(heard).toString('latin1');
    const until = performance.now() + LATE_MS;
    while (smuggledLines() > 0 && !text().includes(SMUGGLED) && !socket.destroyed && performance.now() < until)
      await sleep(50);
    socket.destroy();
    return text();
  };

  let asked = 0;
  /** A request of somebody else, who expects the answer to it. */
  const ask = async (): Promise<void> => {
    asked += 1;
    const id = `victim-${asked}`;
    const response = await fetch(`http://127.0.0.1:${port}${qnsp.encryptPath(under.keyId)}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${under.token}`, 'content-type': 'application/json', 'x-request-id': id },
      body: qnsp.encryptBody(under.keyId, Buffer.from(id)),
    });
    const answer = (await response.json()) as { readonly ciphertext: string };
    expect({ status: response.status, id: response.headers.get('x-request-id') }).toEqual({ status: 200, id });
    const opened = await fetch(`http://127.0.0.1:${port}/kms/v1/keys/${under.keyId}/decrypt`, {
      method: 'POST',
      headers: { authorization: `Bearer ${under.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ciphertext: answer.ciphertext }),
    });
    expect(await opened.json()).toMatchObject({ plaintext: Buffer.from(id).toString('base64') });
  };

  test('requests as clients send them are read from the socket', async () => {
    await ask();
    const before = parsed.count;
    for (let time = 0; time < 10; time += 1) await ask();
    expect(parsed.count - before).toBe(0);
  });

  test(
    'no attack leaves a request in the connection to the service, nor an answer for somebody else',
    async () => {
      for (const [name, bytes] of attacks(qnsp.encryptPath(under.keyId), under.token)) {
        under.lines.length = 0;
        const heard = await say(bytes);
        await ask();
        await ask();
        // A second request for the gateway as well is no attack: it is answered to those who sent it.
        const answered = heard.split(`x-request-id: ${SMUGGLED}`).length - 1;
        expect(smuggledLines(), `${name}: ${heard}`).toBe(answered);
      }
    },
    ALL_MS,
  );
});
