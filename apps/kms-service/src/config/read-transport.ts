import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import type { Variables } from './variables.ts';

/** Where the service listens, and how it is spoken to there. */
export interface TransportConfig {
  readonly host: string;
  /** Absent where it listens on no port. */
  readonly port: number | undefined;
  /** The socket file on which it listens as well; default: none. */
  readonly listenUnix: string | undefined;
  /** How the port speaks TLS; without it HTTP in the clear. */
  readonly tls: TlsConfig | undefined;
}

/** The files of TLS, which may change at any time, and what does not. */
export interface TlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly keyPassphrase: string | undefined;
  /** Whose certificates clients may prove themselves by; default: they are asked for none. */
  readonly clientCaFile: string | undefined;
  readonly crlFile: string | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly groups: string;
  /** In FIPS mode, whose provider may not be the only one with ciphers. */
  readonly approvedOnly: boolean;
}

const GROUPS = 'X25519MLKEM768:X25519:P-256';
/** Those of approved parts alone. */
const APPROVED_GROUPS = 'SecP256r1MLKEM768:SecP384r1MLKEM1024:P-256:P-384';
const APPROVED_GROUP =
  /^(?:P-(?:256|384|521)|prime256v1|secp(?:256|384|521)r1|SecP256r1MLKEM768|SecP384r1MLKEM1024|MLKEM(?:512|768|1024)|ffdhe(?:2048|3072|4096|6144|8192))$/i;
/** What the system takes as the address of a socket, on Linux and on macOS, with room for the name that it has before it is in place. */
const MOST_PATH_BYTES = 99;

/** Reads where and how to listen. */
export function readTransport(env: Variables, embedded: boolean, requireFips: boolean): TransportConfig {
  const transport = {
    host: env.text('HOST') ?? (embedded ? '127.0.0.1' : '0.0.0.0'),
    port: env.text('PORT') === 'none' ? undefined : env.integer('PORT', 8095, { min: 0, max: 65_535 }),
    listenUnix: readSocketFile(env),
    tls: readTls(env, requireFips),
  };
  if (transport.port === undefined && transport.listenUnix === undefined)
    env.problem('PORT', 'none leaves nothing to listen on: set KMS_LISTEN_UNIX, or a port');
  if (env.boolean('KMS_REQUIRE_TLS', false) && plainTextProblem(transport) !== undefined)
    env.problem(
      'KMS_REQUIRE_TLS',
      `forbids plain HTTP on ${transport.host}: set KMS_TLS_CERT_FILE and KMS_TLS_KEY_FILE, or HOST to 127.0.0.1`,
    );
  return transport;
}

/** What is wrong with how the service is spoken to, `undefined` where nobody on the way can read along. */
export function plainTextProblem({ host, port, tls }: Omit<TransportConfig, 'listenUnix'>): string | undefined {
  if (tls !== undefined || port === undefined || isLoopback(host)) return undefined;
  return `plain HTTP on ${host}: tokens and plaintexts can be read on the way, unless a gateway on a network of its own ends TLS; set KMS_TLS_CERT_FILE and KMS_TLS_KEY_FILE, or HOST to 127.0.0.1`;
}

function isLoopback(host: string): boolean {
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8);
  loopback.addAddress('::1', 'ipv6');
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

function readSocketFile(env: Variables): string | undefined {
  const path = env.text('KMS_LISTEN_UNIX');
  if (path === undefined) return undefined;
  const absolute = resolve(path);
  if (Buffer.byteLength(absolute) > MOST_PATH_BYTES)
    env.problem('KMS_LISTEN_UNIX', `must be a path of at most ${MOST_PATH_BYTES} bytes`);
  return absolute;
}

function readTls(env: Variables, requireFips: boolean): TlsConfig | undefined {
  const certFile = env.text('KMS_TLS_CERT_FILE');
  const keyFile = env.text('KMS_TLS_KEY_FILE');
  const rest = {
    keyPassphrase: env.exactSecret('KMS_TLS_KEY_PASSPHRASE'),
    clientCaFile: env.text('KMS_TLS_CLIENT_CA_FILE'),
    crlFile: env.text('KMS_TLS_CRL_FILE'),
    minVersion: env.oneOf('KMS_TLS_MIN_VERSION', ['1.2', '1.3'], '1.3') === '1.2' ? 'TLSv1.2' : 'TLSv1.3',
    groups: env.text('KMS_TLS_GROUPS') ?? (requireFips ? APPROVED_GROUPS : GROUPS),
    approvedOnly: requireFips,
  } as const;
  const notApproved = requireFips ? groupsIn(rest.groups).filter((group) => !APPROVED_GROUP.test(group)) : [];
  if (notApproved.length > 0)
    env.problem(
      'KMS_TLS_GROUPS',
      `${notApproved.join(', ')}: not approved for FIPS mode, which KMS_REQUIRE_FIPS requires`,
    );
  if (rest.crlFile !== undefined && rest.clientCaFile === undefined)
    env.problem(
      'KMS_TLS_CLIENT_CA_FILE',
      'is needed with KMS_TLS_CRL_FILE, whose lists are about certificates of clients',
    );
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile, ...rest };
  if (certFile !== undefined) env.problem('KMS_TLS_KEY_FILE', 'is needed with KMS_TLS_CERT_FILE');
  if (keyFile !== undefined) env.problem('KMS_TLS_CERT_FILE', 'is needed with KMS_TLS_KEY_FILE');
  if (certFile === undefined && keyFile === undefined && rest.clientCaFile !== undefined)
    env.problem('KMS_TLS_CERT_FILE', 'is needed with KMS_TLS_CLIENT_CA_FILE, as is KMS_TLS_KEY_FILE');
  return undefined;
}

/** The names in a list of OpenSSL, where `/` separates as `:` does, and `*` and `?` before a name say how it is offered. */
function groupsIn(list: string): readonly string[] {
  return list.split(/[:/]/).map((group) => group.replace(/^[*?]+/, ''));
}
