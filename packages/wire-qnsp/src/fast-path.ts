import type { FastPath } from '@qnsp/http-edge';
import { ALL_ROUTES } from '@qnsp/kms-contract';
import { kindOf, type QnspTarget, type RouteKind } from './qnsp-target.ts';

const PREFIX = '/kms/v1/keys/';
const UUID_LENGTH = 36;
/** Where the rest of the path of a key begins: behind its id and a slash. */
const ACTION_AT = PREFIX.length + UUID_LENGTH + 1;
const UUID = /^[0-9a-fA-F-]{36}$/;
/** Room for the largest plaintext in base64. */
const MAX_BODY_BYTES = 128 * 1024;
const NO_QUERY = {};
const NO_PARAMS = {};

/**
 * What is posted to a key, under its path spelt plainly, and for the operations that use a key under their path without it, too:
 * they are nearly all requests of a KMS, and a router and the web objects above it cost as much as their cryptography.
 */
export function makeFastPath(): FastPath<QnspTarget> {
  /** By the length of what follows the id: the few of one length are compared in place. */
  const byLength = new Map<number, { readonly action: string; readonly kind: RouteKind }[]>();
  const byPath = new Map<string, QnspTarget>();
  for (const route of ALL_ROUTES) {
    const kind = kindOf(route);
    if (route.crypto !== undefined)
      for (const { method, path } of route.also ?? [])
        if (method === 'POST' && !path.includes('{')) byPath.set(path, { kind, params: NO_PARAMS, query: NO_QUERY });
    const action = /^\/kms\/v1\/keys\/\{keyId\}\/([a-z/-]+)$/.exec(route.path)?.[1];
    if (route.method === 'POST' && action !== undefined)
      byLength.set(action.length, [...(byLength.get(action.length) ?? []), { action, kind }]);
  }
  return {
    bodyBytes: MAX_BODY_BYTES,
    targetOf: ({ method, url = '' }) => {
      if (method !== 'POST') return undefined;
      if (!url.startsWith(PREFIX) || url[ACTION_AT - 1] !== '/') return byPath.get(url);
      const keyId = url.slice(PREFIX.length, ACTION_AT - 1);
      if (!UUID.test(keyId)) return undefined;
      for (const { action, kind } of byLength.get(url.length - ACTION_AT) ?? [])
        if (url.startsWith(action, ACTION_AT)) return { kind, params: { keyId }, query: NO_QUERY, keyId };
      return undefined;
    },
  };
}
