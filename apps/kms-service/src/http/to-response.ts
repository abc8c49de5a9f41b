import type { Answer } from '@qnsp/http-edge';

/** The answer as Hono sends it. */
export function toResponse({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers });
}
