/**
 * What a path must not hold: an empty segment, a dot segment, a backslash, or a percent-encoding of a character that
 * needs none (RFC 3986, section 6.2.2.2), of a slash, a backslash or NUL. A path with two spellings may be taken for
 * one thing by a gateway and for another by the service behind it.
 */
const AMBIGUOUS = /\/\/|\\|\/\.{1,2}(?:\/|$)|%(?:2[def]|3\d|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9ae]|00)/i;
const ABSOLUTE = /^https?:\/\/([^/?#]*)([^#]*)$/i;

/** The target of a request as path and query, or `undefined` for one that is malformed or whose path is spelt ambiguously. */
export function plainTarget(target: string): string | undefined {
  const absolute = ABSOLUTE.exec(target);
  if (absolute !== null && !isHost(absolute[1] ?? '')) return undefined;
  const rest = absolute === null ? target : (absolute[2] ?? '');
  const local = absolute !== null && !rest.startsWith('/') ? `/${rest}` : rest;
  if (!local.startsWith('/') || local.includes('#')) return undefined;
  const query = local.indexOf('?');
  return AMBIGUOUS.test(query === -1 ? local : local.slice(0, query)) ? undefined : local;
}

/** Whether a text is a host with or without a port. An empty one is the host of a target that has none (RFC 9112, section 3.2). */
export function isHost(host: string): boolean {
  return host === '' || (!/[\s/?#@\\]/.test(host) && URL.canParse(`http://${host}/`));
}
