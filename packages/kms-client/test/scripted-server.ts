import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as it came. */
interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly atMs: number;
  readonly socket: Socket;
}

export type Step = (response: ServerResponse, seen: Seen) => void;

/** A server that answers each request by the next step, and all further ones by the last. */
export interface ScriptedServer {
  readonly baseUrl: string;
  readonly seen: readonly Seen[];
  end(): Promise<void>;
}

export async function scriptedServer(...steps: readonly Step[]): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void readText(request).then((body) => {
      const { method = '', url = '', headers, socket } = request;
      const step = steps[Math.min(seen.length, steps.length - 1)];
      const each = { method, url, headers, body, atMs: performance.now(), socket };
      seen.push(each);
      step?.(response, each);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A server that listens on TCP has such an address.
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    seen,
    end: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = '';
  // A request that nobody set an encoding for gives bytes.
  for await (const chunk of request as AsyncIterable<Buffer>) text += chunk.toString();
  return text;
}

/** Answers JSON. */
export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Step {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
  };
}

/** Answers an error as the service does. */
export function problem(
  statusCode: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, unknown>> = {},
): Step {
  const body = { statusCode, code, error: code, message: `It is ${code}.`, requestId: 'from-the-service', ...more };
  return json(statusCode, body, headers);
}

/** Answers a page for people, as proxies do. */
export function page(status: number): Step {
  return (response) => {
    response.writeHead(status, { 'content-type': 'text/html' }).end(`<html><h1>${status}</h1></html>`);
  };
}

/** Takes the request and never answers. */
export const silence: Step = () => undefined;
