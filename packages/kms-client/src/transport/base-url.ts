import { invalidArgument } from '../errors/kms-client-error.ts';

/**
 * The base URL without a slash at its end. A path in it is kept, as a gateway has it.
 *
 * @throws KmsClientError `INVALID_ARGUMENT` for anything that is not an HTTP URL, contains a credential, or would send
 * one over the network in the clear.
 */
export function checkBaseUrl(baseUrl: string | URL, allowInsecureHttp: boolean): string {
  const url = parse(baseUrl);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw invalidArgument('baseUrl must begin with https:// or http://.');
  if (url.username !== '' || url.password !== '')
    throw invalidArgument('baseUrl must not hold a user or a password; give the API token as token.');
  if (url.search !== '' || url.hash !== '') throw invalidArgument('baseUrl must not have a query or a fragment.');
  if (url.protocol === 'http:' && !allowInsecureHttp && !isLoopback(url.hostname))
    throw invalidArgument(
      'baseUrl must begin with https:// unless the host is this machine: the API token would go over the network in the clear. ' +
        'If something else protects that network, set allowInsecureHttp.',
    );
  return url.origin + url.pathname.replace(/\/+$/, '');
}

function parse(baseUrl: string | URL): URL {
  try {
    return new URL(baseUrl);
  } catch {
    // The parser's own error repeats its input, in which a credential may be.
    throw invalidArgument('baseUrl is not a URL, such as http://127.0.0.1:8095 or https://gateway.example/proxy/kms.');
  }
}

/** URL parsers normalise every spelling of an IPv4 address to four decimal numbers. */
function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(?:\.\d{1,3}){3}$/.test(hostname)
  );
}
