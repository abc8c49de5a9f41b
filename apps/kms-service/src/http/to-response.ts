import type { Answer } from '@qnsp/http-edge';

const NO_CONTENT = 204;

/** The answer as Hono sends it. */
export function toResponse({ status, headers, body }: Answer): Response {
  return new Response(status === NO_CONTENT ? null : body, { status, headers });
}
