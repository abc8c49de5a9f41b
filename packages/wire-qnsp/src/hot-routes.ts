import type { IncomingMessage, ServerResponse } from 'node:http';
import { collectBody, sendAnswer } from '@qnsp/http-edge';
import { ALL_ROUTES, type Route } from '@qnsp/kms-contract';
import { answerRoute } from './answer-route.ts';
import type { QnspParts } from './handlers/service-facts.ts';

/** Serves a request on the short way, or answers `false` and leaves it as it is. */
export type HotRoutes = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

const PREFIX = '/kms/v1/keys/';
const UUID_LENGTH = 36;
const UUID = /^[0-9a-fA-F-]{36}$/;
const PLAIN_HOST = /^[\w.-]+(?::\d+)?$/;
/** Room for the largest plaintext in base64. */
const MAX_BODY_BYTES = 128 * 1024;
const NO_QUERY = {};
const NO_PARAMS = {};

interface Found {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * The operations that use a key, under their path with the key or without it, spelt plainly: they are nearly all
 * requests of a KMS, and the router and the web objects above them cost as much as their cryptography. Everything that
 * is decided about a request is decided by `answerRoute`, for these as for all; only what finds the route and what
 * writes the answer differ.
 */
export function makeHotRoutes(parts: QnspParts): HotRoutes {
  const byAction = new Map<string, Route>();
  const byPath = new Map<string, Route>();
  for (const route of ALL_ROUTES) {
    if (route.crypto === undefined) continue;
    for (const { method, path } of route.also ?? [])
      if (method === 'POST' && !path.includes('{')) byPath.set(path, route);
    const action = /^\/kms\/v1\/keys\/\{keyId\}\/([a-z/-]+)$/.exec(route.path)?.[1];
    if (route.method === 'POST' && action !== undefined) byAction.set(action, route);
  }
  const routeOf = (url: string): Found | undefined => {
    const plain = byPath.get(url);
    if (plain !== undefined) return { route: plain, params: NO_PARAMS };
    if (!url.startsWith(PREFIX) || url[PREFIX.length + UUID_LENGTH] !== '/') return undefined;
    const route = byAction.get(url.slice(PREFIX.length + UUID_LENGTH + 1));
    const keyId = url.slice(PREFIX.length, PREFIX.length + UUID_LENGTH);
    return route === undefined || !UUID.test(keyId) ? undefined : { route, params: { keyId } };
  };
  return (incoming, outgoing) => {
    const { method, url = '', headers } = incoming;
    if (method !== 'POST') return false;
    const found = routeOf(url);
    if (found === undefined) return false;
    // A body that stays unread is read to its end by Node, so it must be a small one whose end is known.
    if (!(Number(headers['content-length']) <= MAX_BODY_BYTES)) return false;
    if (
      headers.expect !== undefined ||
      headers['content-encoding'] !== undefined ||
      !PLAIN_HOST.test(headers.host ?? '')
    )
      return false;
    const address = { params: found.params, query: NO_QUERY };
    const answer = (body?: Buffer) => {
      const answered = answerRoute(parts, incoming, found.route, address, body);
      if (answered instanceof Promise) void answered.then((later) => sendAnswer(outgoing, later));
      else sendAnswer(outgoing, answered);
    };
    // Of a body that did not come whole the long way says so again, and logs it.
    collectBody(incoming, MAX_BODY_BYTES, answer, () => answer());
    return true;
  };
}
