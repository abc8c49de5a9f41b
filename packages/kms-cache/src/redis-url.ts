/** Where a Redis is and how to speak to it, as its URL says. */
export interface RedisTarget {
  readonly kind: 'single' | 'cluster' | 'sentinel';
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** One for a single server; for the others some of their nodes or sentinels. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The name by which the sentinels know the master. */
  readonly master: string | undefined;
  readonly database: number;
}

const SCHEME = /^(rediss?)(?:\+(cluster|sentinel))?:\/\/([^?#]*)$/;
const NODE = /^(\[[0-9a-f:]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i;

/**
 * Reads the URL of a Redis: `redis://user:password@host:port/database`, `rediss://` with TLS, `redis+cluster://` or
 * `rediss+cluster://` with some nodes of a cluster, `redis+sentinel://` or `rediss+sentinel://` with the sentinels and
 * the name of the master as the path; several hosts are separated by commas.
 *
 * @returns `undefined` for anything else
 * @example
 * import { parseRedisUrl } from '@qnsp/kms-cache';
 * console.log(parseRedisUrl('rediss+sentinel://kms:secret@s1:26379,s2/mymaster')?.nodes.length); // 2
 */
export function parseRedisUrl(url: string): RedisTarget | undefined {
  const [, scheme, kind = 'single', rest = ''] = SCHEME.exec(url) ?? [];
  if (scheme === undefined) return undefined;
  const [credentials, place] = splitAt(rest, rest.lastIndexOf('@'));
  const [hosts, path] = splitBefore(place, place.indexOf('/'));
  const nodes = hosts.split(',').map((host) => nodeOf(host, kind === 'sentinel' ? 26_379 : 6379));
  if (nodes.includes(undefined) || (kind === 'single' && nodes.length > 1)) return undefined;
  const [user, password] = credentials === '' ? [] : splitBefore(credentials, credentials.indexOf(':'));
  const [username, secret] = [decoded(user), decoded(password)];
  if (kind === 'sentinel' && path === '') return undefined;
  if (kind === 'single' && !/^\d{0,5}$/.test(path)) return undefined;
  if (kind === 'cluster' && path !== '') return undefined;
  return {
    // The pattern allows nothing else.
    kind: kind as RedisTarget['kind'],
    tls: scheme === 'rediss',
    username,
    password: secret,
    nodes: nodes.filter((node) => node !== undefined),
    master: kind === 'sentinel' ? path : undefined,
    database: kind === 'single' ? Number(path) : 0,
  };
}

function splitAt(text: string, at: number): [string, string] {
  return at < 0 ? ['', text] : [text.slice(0, at), text.slice(at + 1)];
}

function splitBefore(text: string, at: number): [string, string] {
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function nodeOf(text: string, defaultPort: number): { readonly host: string; readonly port: number } | undefined {
  const [, host, port] = NODE.exec(text) ?? [];
  if (host === undefined || Number(port ?? 1) > 65_535) return undefined;
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? defaultPort) };
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that stands for itself.
    return text;
  }
}
