export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

export interface PostgresStoreOptions {
  /** `postgresql://user:password@host:port/database`, as {@link parseConnectionUrl} reads it. */
  readonly url: string;
  /**
   * Where to listen for notices of changes, if not at `url`: past a pooler in transaction mode, which drops them. Must
   * be the same database on the same server.
   */
  readonly notifyUrl?: string;
  /** The maximum number of connections; default: 20. */
  readonly poolMax?: number;
  /** After how many milliseconds an unused connection is closed; default: 30000. */
  readonly idleMs?: number;
  /**
   * As libpq has it: `require` encrypts, `verify-ca` checks the certificate of the server too, `verify-full` also
   * checks that it is for this host. With `caPem`, `require` is `verify-ca`. A Unix socket has no TLS.
   */
  readonly ssl: SslMode;
  /** The certificate authority of the server in PEM; default: those of the system. */
  readonly caPem?: string;
  /**
   * How long a unit of work, or a read outside one, may take with all that it waits for, in milliseconds; default:
   * 5000. What takes longer ends as `STORE_UNAVAILABLE` and is rolled back.
   */
  readonly statementTimeoutMs?: number;
  /** How long a new connection may take, in seconds; default: 5. */
  readonly connectTimeoutSeconds?: number;
  /**
   * `auto` and `only` apply pending migrations first; `only` is for a process that ends afterwards. `off` refuses a
   * database with pending ones, and needs no right but to take the role `kms_app`.
   */
  readonly migrate: 'auto' | 'off' | 'only';
  /** Refuses to change anything as long as no synchronous standby follows the server; default: false. */
  readonly requireStandby?: boolean;
  /** Called each time the connection for change notices is lost or cannot be made. It reconnects automatically. */
  readonly onFeedLost?: (error: unknown) => void;
}
