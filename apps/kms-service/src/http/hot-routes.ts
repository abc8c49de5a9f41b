import type { IncomingMessage, ServerResponse } from 'node:http';
import { ALL_ROUTES, type Route } from '@qnsp/kms-contract';
import type { AppParts } from '../app.ts';
import { answerRoute } from './answer-route.ts';

/** Serves a request on the short way, or answers `false` and leaves it as it is. */
export type HotRoutes = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

const PREFIX = '/kms/v1/keys/';
const UUID_LENGTH = 36;
const UUID = /^[0-9a-fA-F-]{36}$/;
const PLAIN_HOST = /^[\w.-]+(?::\d+)?$/;
/** Room for the largest plaintext in base64. */
const MAX_BODY_BYTES = 128 * 1024;
const NO_QUERY = {};

/**
 * The operations that use a key, under the path that names it, spelt plainly: they are nearly all requests of a KMS, and the
 * router and the web objects above them cost as much as their cryptography. Everything that is decided about a request is
 * decided by `answerRoute`, for these as for all; only what finds the route and what writes the answer are others.
 */
export function makeHotRoutes(parts: AppParts): HotRoutes {
  const byAction = new Map<string, Route>();
  for (const route of ALL_ROUTES) {
    const action = /^\/kms\/v1\/keys\/\{keyId\}\/([a-z/-]+)$/.exec(route.path)?.[1];
    if (route.crypto !== undefined && route.method === 'POST' && action !== undefined) byAction.set(action, route);
  }
  return (incoming, outgoing) => {
    const { method, url = '', headers } = incoming;
    if (method !== 'POST' || !url.startsWith(PREFIX)) return false;
    const route = byAction.get(url.slice(PREFIX.length + UUID_LENGTH + 1));
    const keyId = url.slice(PREFIX.length, PREFIX.length + UUID_LENGTH);
    if (route === undefined || url[PREFIX.length + UUID_LENGTH] !== '/' || !UUID.test(keyId)) return false;
    // A body that stays unread is read to its end by Node, so it must be a small one whose end is known.
    if (!(Number(headers['content-length']) <= MAX_BODY_BYTES)) return false;
    if (headers.expect !== undefined || !PLAIN_HOST.test(headers.host ?? '')) return false;
    void answerRoute(parts, incoming, route, { params: { keyId }, query: NO_QUERY }).then(
      ({ status, headers: fields, body }) => {
        outgoing.writeHead(status, { ...fields, 'content-length': Buffer.byteLength(body) });
        outgoing.end(body);
      },
    );
    return true;
  };
}
