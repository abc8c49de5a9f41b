import { existsSync } from 'node:fs';
import { KmsError } from '@qnsp/kms-core';
import type { Address } from './address.ts';

/** What a server must be, as libpq names it. */
export const SESSION_ATTRIBUTES = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;
export type SessionAttributes = (typeof SESSION_ATTRIBUTES)[number];

/** Everything that a database URL says. */
export interface ConnectionUrl {
  /** One or more, to be tried in this order. */
  readonly addresses: readonly Address[];
  readonly targetSessionAttributes: SessionAttributes;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  /** Command line options for the session, such as `-c search_path=x`. */
  readonly options: string | undefined;
  readonly connectTimeoutSeconds: number | undefined;
}

const DEFAULT_PORT = 5432;
/** Where Debian's PostgreSQL and PostgreSQL itself put their sockets. */
const SOCKET_DIRECTORIES = ['/var/run/postgresql', '/tmp'];

/** Parameters of libpq that change nothing here: the service has its own value, or what they turn off is not there. */
const WITHOUT_EFFECT: Readonly<Record<string, RegExp>> = {
  application_name: /^/,
  fallback_application_name: /^/,
  client_encoding: /^(?:utf-?8|auto)$/i,
  channel_binding: /^(?:disable|prefer)$/,
  gssencmode: /^(?:disable|prefer)$/,
  keepalives: /^/,
  keepalives_idle: /^/,
  keepalives_interval: /^/,
  keepalives_count: /^/,
  tcp_user_timeout: /^/,
  load_balance_hosts: /^disable$/,
};
const TLS = /^(?:ssl|requiressl$)/;
const KNOWN = ['host', 'hostaddr', 'port', 'dbname', 'user', 'password', 'options', 'connect_timeout'];

/**
 * Reads a database URL as libpq does: `postgresql://user:password@host:port,host:port/database?name=value&…`. Every
 * part may be omitted, a host may be an IPv6 address in brackets or the directory of a Unix socket, and everything may
 * be percent-encoded.
 *
 * @throws KmsError `BAD_REQUEST` that says what is wrong, without anything of the password.
 * @example
 * import { parseConnectionUrl } from '@qnsp/kms-store-drizzle';
 * const url = 'postgresql://kms@[::1],db2:5433/kms?target_session_attrs=read-write';
 * console.log(parseConnectionUrl(url).addresses.length); // 2
 */
export function parseConnectionUrl(url: string): ConnectionUrl {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(url) ?? [];
  if (rest === undefined) throw refuse('must begin with postgresql://');
  const { credentials, hosts, path, query } = split(rest);
  const parameters = readParameters(query);
  const [user, password] = splitOnce(credentials, ':');
  const said = (name: string, inUrl: string | undefined, what: string): string | undefined => {
    const value = parameters.get(name) ?? (inUrl === undefined ? undefined : decoded(inUrl, what));
    return value === '' ? undefined : value;
  };
  return {
    addresses: addressesOf(parameters, hosts),
    targetSessionAttributes: attributesOf(parameters.get('target_session_attrs')),
    user: said('user', user, 'the user'),
    password: said('password', password, 'the password'),
    database: said('dbname', path, 'the name of the database'),
    options: said('options', undefined, 'options'),
    connectTimeoutSeconds: timeoutOf(parameters.get('connect_timeout')),
  };
}

function split(rest: string) {
  const [place, query] = splitOnce(rest, '?');
  // As libpq looks for it: up to the first slash, so that a slash in a password has to be encoded.
  const beforePath = /^[^/]*/.exec(rest)?.[0] ?? '';
  const at = beforePath.indexOf('@');
  if (at >= 0) {
    const [where, tail] = splitOnce(rest.slice(at + 1), '?');
    const [hosts, path] = splitOnce(where ?? '', '/');
    return { credentials: rest.slice(0, at), hosts: hosts ?? '', path, query: tail };
  }
  const [hosts, path] = splitOnce(place ?? '', '/');
  return { credentials: undefined, hosts: hosts ?? '', path, query };
}

function readParameters(query: string | undefined): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  if (query === undefined || query === '') return parameters;
  for (const pair of query.split('&')) {
    const [rawName = '', rawValue] = splitOnce(pair, '=');
    const name = decoded(rawName, 'the name of a parameter');
    if (rawValue === undefined || rawValue.includes('='))
      throw refuse(`must give each parameter as name=value; "${name}" is not`);
    parameters.set(name, decoded(rawValue, `the parameter ${name}`));
  }
  for (const [name, value] of parameters) check(name, value);
  return parameters;
}

function check(name: string, value: string): void {
  if (KNOWN.includes(name) || name === 'target_session_attrs') return;
  if (TLS.test(name)) throw refuse(`asks for TLS with "${name}". Use the setting for TLS instead, which alone decides`);
  const harmless = WITHOUT_EFFECT[name];
  if (harmless === undefined) throw refuse(`has the parameter "${name}", which is not supported`);
  if (!harmless.test(value)) throw refuse(`has the parameter "${name}" with a value that is not supported`);
}

function addressesOf(parameters: ReadonlyMap<string, string>, hosts: string): readonly Address[] {
  const inUrl = hosts.split(',').map(hostAndPort);
  const names = parameters.get('host')?.split(',') ?? inUrl.map(({ host }) => host);
  // An address to connect to, where the name is only for TLS.
  const numbers = parameters.get('hostaddr')?.split(',');
  const ports = (parameters.get('port')?.split(',') ?? inUrl.map(({ port }) => port)).map(portOf);
  const count = numbers?.length ?? names.length;
  const hasNames = parameters.has('host') || hosts !== '';
  if (numbers !== undefined && hasNames && names.length !== count)
    throw refuse('must have as many hosts as it has addresses in "hostaddr"');
  if (ports.length !== 1 && ports.length !== count) throw refuse('must have one port, or as many as it has hosts');
  return Array.from({ length: count }, (_, index) => {
    const port = ports[ports.length === 1 ? 0 : index] ?? DEFAULT_PORT;
    const name = hasNames ? (names[index] ?? '') : '';
    const number = numbers?.[index] ?? '';
    return number === '' ? addressOf(name, port) : { host: number, port, ...(name === '' ? {} : { name }) };
  });
}

function hostAndPort(text: string): { readonly host: string; readonly port: string } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (text.startsWith('[') && bracketed === null) throw refuse('must close the brackets around an IPv6 address');
  const [host, port] = bracketed === null ? splitOnce(text, ':') : [bracketed[1], bracketed[2]];
  if (bracketed !== null && host === '') throw refuse('must have an IPv6 address in its brackets');
  return { host: decoded(host ?? '', 'a host'), port: decoded(port ?? '', 'a port') };
}

function portOf(text: string): number {
  if (text === '') return DEFAULT_PORT;
  const port = /^\s*\d{1,5}\s*$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw refuse('must have ports from 1 to 65535');
  return port;
}

function addressOf(host: string, port: number): Address {
  const socket = `.s.PGSQL.${port}`;
  if (host.startsWith('/')) return { path: `${host}/${socket}` };
  // In the abstract namespace of Linux.
  if (host.startsWith('@')) return { path: `\0${host.slice(1)}/${socket}` };
  if (host !== '') return { host, port };
  const directory = SOCKET_DIRECTORIES.find((each) => existsSync(`${each}/${socket}`));
  return directory === undefined ? { host: 'localhost', port } : { path: `${directory}/${socket}` };
}

function attributesOf(text: string | undefined): SessionAttributes {
  if (text === undefined) return 'any';
  const known = SESSION_ATTRIBUTES.find((each) => each === text);
  if (known === undefined) throw refuse(`must have one of ${SESSION_ATTRIBUTES.join(', ')} as "target_session_attrs"`);
  return known;
}

function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\s*-?\d{1,9}\s*$/.test(text)) throw refuse('must have a whole number of seconds as "connect_timeout"');
  // Without an end for libpq; here an access to the database has one.
  return Number(text) > 0 ? Number(text) : undefined;
}

function decoded(text: string, what: string): string {
  try {
    const value = decodeURIComponent(text);
    if (!value.includes('\0')) return value;
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  throw refuse(`has a % in ${what} that begins no percent-encoded character: write %25 for a percent sign`);
}

function splitOnce(text: string | undefined, separator: string): readonly [string | undefined, string | undefined] {
  if (text === undefined) return [undefined, undefined];
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function refuse(what: string): KmsError {
  return new KmsError('BAD_REQUEST', `The database URL ${what}.`);
}
