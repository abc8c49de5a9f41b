import { IncomingMessage } from 'node:http';
import { sharesGoAhead } from '@qnsp/http-edge';
import type { Context, Env } from 'hono';
import { basePath } from 'hono/route';
import { MountedRequest } from './mounted-request.ts';

/**
 * The request of a context, as the edge reads it: the one of Node.js where that is what the context has and nobody has begun to read it,
 * otherwise one that is made of what Hono has, on the connection of the one of Node.js where there is one. The body stays untouched
 * until the edge reads it.
 */
export function incomingOf<E extends Env>(c: Context<E>): IncomingMessage {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: unknown };
  const request = c.req.raw;
  const node = incoming instanceof IncomingMessage ? incoming : undefined;
  const base = segmentsOf(basePath(c));
  if (node !== undefined && base === 0 && !node.readableDidRead && isOf(node, request)) return node;
  const { pathname, search } = new URL(request.url);
  const url = `${withoutSegments(pathname, base)}${search}`;
  // What was read already, Hono has kept.
  const body = () => (request.bodyUsed ? kept(c) : request.body);
  // It has all that the edge reads of one.
  const mounted = new MountedRequest(request, url, body, node) as unknown as IncomingMessage;
  if (node !== undefined) sharesGoAhead(mounted, node);
  return mounted;
}

/**
 * Whether a request of the Fetch API is that of Node.js and nothing else. `@hono/node-server` keeps the one in the other, under a symbol of
 * its own; another request that was made of it, whose method, path or headers may be others, does not have it. Once the body was asked for
 * as a stream, it also keeps a request with that stream, which reads the one of Node.js from then on.
 */
function isOf(node: IncomingMessage, request: Request): boolean {
  const held = Object.getOwnPropertySymbols(request).map((symbol): unknown => Reflect.get(request, symbol));
  return held.includes(node) && !held.some((each) => each instanceof Request);
}

/** How many segments a path has. */
function segmentsOf(path: string): number {
  return path.split('/').filter((segment) => segment !== '').length;
}

/** A path without so many of its first segments: as text they may be spelt in another way than Hono has them. */
function withoutSegments(path: string, count: number): string {
  return `/${path
    .split('/')
    .slice(1 + count)
    .join('/')}`;
}

function kept<E extends Env>(c: Context<E>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      controller.enqueue(new Uint8Array(await c.req.arrayBuffer()));
      controller.close();
    },
  });
}
