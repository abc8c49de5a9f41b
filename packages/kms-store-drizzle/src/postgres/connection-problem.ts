/** Why a database cannot be opened, as far as can be told. */
export interface ConnectionProblem {
  /**
   * What has to be changed: the address with its credentials, the mode of TLS, or the authority that is trusted. With
   * `server` it is nothing on this side, and may be over soon.
   */
  readonly lies: 'address' | 'tls' | 'authority' | 'server';
  /** For people; holds no secret. */
  readonly reason: string;
}

/** How a failure begins that says by itself what is wrong with each of several servers. */
export const NO_SERVER_FITS = 'no server matches: ';

type Explanation = readonly [ConnectionProblem['lies'], (message: string) => string];

const SAYS_ITSELF = (message: string): string => message;

/** SQLSTATEs, and what Node.js and this package call failures. */
const EXPLANATIONS: readonly (readonly [RegExp, ...Explanation])[] = [
  [/^28P01$/, 'address', (message) => `${message}: correct the password`],
  [/^28000$/, 'address', (message) => `${message}: admit the user (pg_hba.conf), or correct the user`],
  [/^3D000$/, 'address', (message) => `${message}: create it, or correct its name`],
  [/^42501$/, 'address', (message) => `${message}: grant it to the user`],
  [
    /^SASL_SIGNATURE_MISMATCH$/,
    'address',
    () => 'the server does not know the password itself: it is not the one that it claims to be',
  ],
  [/^ENOTFOUND$/, 'address', (message) => `no machine has the name of ${placeIn(message)}: correct it`],
  [/^EAI_/, 'server', (message) => `the name of ${placeIn(message)} cannot be looked up at the moment`],
  [/^CONNECT_NO_TLS$/, 'tls', (message) => `${message}: turn it on there (ssl = on), or do not ask for it`],
  [/^CONNECT_TLS_REFUSED$/, 'server', (message) => `${message}: somebody in between tampers with the connection`],
  [
    /^CONNECT_NO_TRANSACTIONS$/,
    'address',
    (message) => `${message}, as one in statement mode: use it in session or transaction mode`,
  ],
  [/^CONNECT_OTHER_SERVER$/, 'server', SAYS_ITSELF],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'address', (message) => `${message}: connect by a name of the certificate`],
  [/^CERT_HAS_EXPIRED$/, 'server', () => 'the certificate of the server has expired: renew it there'],
  [/^CERT_NOT_YET_VALID$/, 'server', () => 'the certificate of the server is not valid yet: check both clocks'],
  [
    /CERT|SIGNATURE|ISSUER|^ERR_SSL_/,
    'authority',
    (message) => `the certificate of the server is not trusted (${message}): name the authority that issued it`,
  ],
  [
    /^ECONNREFUSED$/,
    'server',
    (message) => `nothing accepts connections at ${placeIn(message)}: start the server, or correct host and port`,
  ],
  [
    /^ENOENT$/,
    'server',
    (message) => `there is no socket ${placeIn(message)}: start the server, or correct host and port`,
  ],
  [/^CONNECT_TIMEOUT$|^ETIMEDOUT$/, 'server', (message) => `${placeIn(message)} accepted no connection in time`],
  [/^(?:EHOSTUNREACH|ENETUNREACH)$/, 'server', (message) => `there is no route to ${placeIn(message)}`],
  [/^(?:ECONNRESET|EPIPE|CONNECTION_)/, 'server', () => 'the server closed the connection: its log says why'],
  [/^(?:53|57|25)/, 'server', SAYS_ITSELF],
];

/** What a pooler says by the one code that it has for everything. */
const BY_POOLER: readonly (readonly [RegExp, ...Explanation])[] = [
  [
    /unsupported startup parameter/,
    'address',
    (message) => `${message}: take it out of the URL, or let the pooler ignore it (ignore_startup_parameters)`,
  ],
  [/no such|does not exist|authentication failed|not allowed/, 'address', (message) => `the pooler says: ${message}`],
];

/** Where it happened, which stands before what happened. */
function placeIn(message: string): string {
  return /^(\S+): /.exec(message)?.[1] ?? 'the server';
}

/** What is known about why the database was not opened, `undefined` when it is nothing of the connection. */
export function connectionProblem(error: unknown): ConnectionProblem | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    const code: unknown = Reflect.get(current, 'code');
    if (typeof code !== 'string') continue;
    const { message } = current;
    const table = code === '08P01' ? BY_POOLER : EXPLANATIONS;
    const subject = code === '08P01' ? message : code;
    const found = table.find(([pattern]) => pattern.test(subject));
    if (found === undefined) continue;
    const [, lies, explain] = found;
    return { lies, reason: message.startsWith(NO_SERVER_FITS) ? message : explain(message) };
  }
  return undefined;
}
