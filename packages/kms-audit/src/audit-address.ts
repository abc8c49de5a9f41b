import { type LookupAddress, type LookupOptions, promises as dns } from 'node:dns';
import { BlockList, isIP } from 'node:net';

/** Ranges that an external name has no business resolving to: private, link-local (metadata), loopback and special. */
const INSIDE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  INSIDE.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  // Below it are the unspecified address, loopback, and IPv4 addresses in the deprecated form (RFC 4291, section 2.5.5.1).
  ['::', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  // Teredo (RFC 4380) and 6to4 (RFC 3056) lead to the IPv4 address that they hold.
  ['2001::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const)
  INSIDE.addSubnet(network, prefix, 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether a host is this machine by its very name. */
function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || isLoopback(unbracketed(host));
}

/**
 * Why an address of the audit service cannot be used, `undefined` if it can: plain HTTP goes to this machine only.
 *
 * @param allowedHosts names that may lead to private addresses
 */
export function auditUrlProblem(url: URL, allowedHosts: ReadonlySet<string>): string | undefined {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must be an https URL';
  if (url.username !== '' || url.password !== '')
    return 'must not contain a user or a password: the token is a separate setting';
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname))
    return 'must be https: plain HTTP is for a receiver on this machine only';
  const host = unbracketed(url.hostname);
  return isIP(host) !== 0 && !addressIsAllowed(host, host, allowedHosts)
    ? 'is a private address: name it in KMS_AUDIT_ALLOWED_HOSTS to allow it'
    : undefined;
}

type LookupCallback = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

/**
 * A `lookup` for sockets that returns only addresses that the host may resolve to. The check is made on the address
 * connected to, so that a name cannot change in between.
 */
export function guardedLookup(allowedHosts: ReadonlySet<string>) {
  return (host: string, options: LookupOptions, callback: LookupCallback): void => {
    dns.lookup(host, { ...options, all: true }).then(
      (found) => {
        const [first] = found;
        const refused = found.find(({ address }) => !addressIsAllowed(host, address, allowedHosts));
        if (refused !== undefined || first === undefined)
          callback(new Error(`${host} resolves to an address that is not allowed`), []);
        else if (options.all) callback(null, found);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error('the name was not found'), []),
    );
  };
}

function addressIsAllowed(host: string, address: string, allowedHosts: ReadonlySet<string>): boolean {
  if (isLoopbackHost(host)) return isLoopback(address);
  return allowedHosts.has(host) || !isIn(INSIDE, address);
}

function isLoopback(address: string): boolean {
  return isIn(LOOPBACK, address);
}

function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** The host of a URL without the brackets around an IPv6 address. */
function unbracketed(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
