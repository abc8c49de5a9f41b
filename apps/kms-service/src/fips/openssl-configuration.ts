/** A FIPS provider, as OpenSSL is told of it. */
export interface ProviderFiles {
  /** The absolute path of its module. */
  readonly modulePath: string;
  /** What is passed to it, its MAC among it. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * What TLS agrees by towards a database and other services. OpenSSL's own list begins with X25519MLKEM768, for which a client must make a
 * key of X25519 and fails. A group with `*` goes along with the first message; one with `?` may be missing in an older provider.
 */
const GROUPS = '?*SecP256r1MLKEM768:?SecP384r1MLKEM1024:*P-256:P-384:P-521';

/** The ciphers of TLS 1.3 and of TLS 1.2 (SP 800-52 Rev. 2, section 3.3.1): OpenSSL's own provider would have ChaCha20-Poly1305 as well. */
const SUITES = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256'];
const OLDER_SUITES = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
];

/** What Node.js has to be told besides: it replaces the ciphers of the configuration by a list of its own. */
export const TLS_CIPHERS = [...SUITES, ...OLDER_SUITES].join(':');

/** How a program uses the provider. */
export interface ProviderUse {
  /** `false` leaves it to the program to load the provider. */
  readonly active: boolean;
  /** Whether OpenSSL's own provider has what the FIPS provider lacks. What both have is still the FIPS provider's. */
  readonly legacyRead: boolean;
}

/** Paths of these characters alone stand for themselves in a configuration of OpenSSL. */
export const PLAIN_PATH = /^[\w./+@:,=-]+$/;

/**
 * A configuration of OpenSSL, for Node.js and for other programs, in which all cryptography is that of a FIPS provider. The provider
 * `base` has the formats of keys, and no cryptography.
 */
export function opensslConfiguration(
  { modulePath, parameters }: ProviderFiles,
  { active, legacyRead }: ProviderUse,
): string {
  const passed = [...parameters].map(([name, value]) => `${name} = ${value}`);
  return `nodejs_conf = init
openssl_conf = init

[init]
providers = providers
alg_section = algorithms
ssl_conf = tls

[providers]
fips = fips
base = base
${legacyRead ? 'default = base\n' : ''}
[fips]
module = ${modulePath}
activate = ${active ? 1 : 0}
${passed.join('\n')}

[base]
activate = 1

[algorithms]
default_properties = ${legacyRead ? '?' : ''}fips=yes

[tls]
system_default = tls_default

[tls_default]
Groups = ${GROUPS}
Ciphersuites = ${SUITES.join(':')}
CipherString = ${OLDER_SUITES.join(':')}
`;
}
