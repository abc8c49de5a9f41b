import type { PostgresClient } from './postgres-client.ts';

/** How the connection is protected, as `sslmode` of libpq has it. */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

interface CommonOptions {
  /**
   * The schema of the store, which makes it if it does not exist; default: `kms`. Stores in two schemas of a database have nothing
   * in common. Lower-case letters, digits and `_`, at most 41 of them.
   */
  readonly schema?: string;
  /**
   * How long a unit of work, or a read outside one, may take with all that it waits for, in milliseconds; default:
   * 5000. What takes longer ends as `STORE_UNAVAILABLE` and is rolled back.
   */
  readonly statementTimeoutMs?: number;
  /**
   * `auto` and `only` apply pending migrations first; `only` is for a process that ends afterwards. `off` refuses a
   * database with pending ones, and needs no right but to take the role `kms_app`, or `kms_app_` and the name of the schema if
   * that is not the default one.
   */
  readonly migrate: 'auto' | 'off' | 'only';
  /** Refuses to change anything as long as no synchronous standby follows the server; default: false. */
  readonly requireStandby?: boolean;
  /** Called each time the connection for change notices is lost or cannot be made. It reconnects automatically. */
  readonly onFeedLost?: (error: unknown) => void;
}

/** Which PostgreSQL the database is in, and how it is reached. */
export interface PostgresStoreOptions extends CommonOptions {
  /** `postgresql://user:password@host:port/database`, as {@link parseConnectionUrl} reads it. */
  readonly url: string;
  /**
   * Where to listen for notices of changes, if not at `url`: past a pooler in transaction mode, which drops them. Must
   * be the same database on the same server.
   */
  readonly notifyUrl?: string;
  /** The maximum number of connections; default: 20. */
  readonly poolMax?: number;
  /** How long a new connection may take, in seconds; default: 5. */
  readonly connectTimeoutSeconds?: number;
  /** After how many milliseconds an unused connection is closed; default: 30000. */
  readonly idleMs?: number;
  /**
   * As libpq has it: `require` encrypts, `verify-ca` checks the certificate of the server too, `verify-full` also
   * checks that it is for this host. With `caPem`, `require` is `verify-ca`. A Unix socket has no TLS.
   */
  readonly ssl: SslMode;
  /** The certificate authority of the server in PEM; default: those of the system. */
  readonly caPem?: string;
}

/** The application's own client, on whose connections the store works beside the application. */
export interface PostgresClientOptions extends CommonOptions {
  /**
   * Of postgres.js 3.4: what `postgres()` answers, or `$client` of what drizzle made of it. It stays open when the store is closed, and
   * is closed after it. Its types and its transformations of columns and values do not matter to the store; one that
   * transforms whole rows (`transform.row`) is refused.
   */
  readonly client: PostgresClient;
  /** How long a new connection for notices may take, in seconds; default: as long as one of the client, with `notifyUrl` 5. */
  readonly connectTimeoutSeconds?: number;
  /**
   * Where to listen for notices of changes, if not where the client connects to: past a pooler in transaction mode, which drops
   * them. Must be the same database on the same server.
   */
  readonly notifyUrl?: string;
  /** How connections to `notifyUrl` are protected. */
  readonly ssl?: SslMode;
  /** The certificate authority of the server of `notifyUrl` in PEM; default: those of the system. */
  readonly caPem?: string;
}
