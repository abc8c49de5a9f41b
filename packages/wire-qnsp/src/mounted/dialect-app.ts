import {
  type Answer,
  type Dialects,
  type Edge,
  type RequestHead,
  refuseCall,
  requestId,
  serveCall,
} from '@qnsp/http-edge';
import type { OpenedKms } from '@qnsp/kms-core';
import { type Context, type Env, Hono } from 'hono';
import { incomingOf } from './incoming-of.ts';

/** What keeps a KMS open while a call runs. */
export type RunningKms = Pick<OpenedKms, 'run'>;

/**
 * The dialects as an app of Hono, which another one may take in under any path. A request that no dialect claims goes on to the next
 * handler.
 *
 * @param meet is told of each request before it is served
 */
export function dialectApp<E extends Env>(
  kms: RunningKms,
  edge: Edge,
  dialects: Dialects,
  meet?: (incoming: RequestHead, c: Context<E>) => void,
): Hono<E> {
  const app = new Hono<E>();
  app.all('*', async (c, next) => {
    const incoming = incomingOf(c);
    const dialect = dialects.find((each) => each.claims(incoming));
    if (dialect === undefined) return next();
    meet?.(incoming, c);
    // A call never fails: what does is that none is taken any more.
    const answer = await kms
      .run(() => serveCall(edge, incoming, dialect))
      .catch((error: unknown) => {
        const id = requestId(incoming.headers['x-request-id']);
        return refuseCall(edge, dialect, { requestId: id, incoming }, error);
      });
    return toResponse(kms, answer);
  });
  return app;
}

const NO_CONTENT = 204;

/** The answer as Hono sends it. */
function toResponse(kms: RunningKms, { status, headers, body, rest }: Answer): Response {
  const content = rest === undefined ? body : streamOf(kms, rest);
  return new Response(status === NO_CONTENT ? null : content, { status, headers });
}

/** The pieces of a body as they are asked for, each of them a call that keeps the KMS open. */
function streamOf(kms: RunningKms, pieces: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const next = await kms.run(() => iterator.next());
        if (next.done === true) controller.close();
        else controller.enqueue(encoder.encode(next.value));
      },
      cancel: async () => {
        await iterator.return?.();
      },
    },
    // Nothing is made before it is asked for.
    { highWaterMark: 0 },
  );
}
