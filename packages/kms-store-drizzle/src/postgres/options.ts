export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';

export interface PostgresStoreOptions {
  /** `postgresql://user:password@host:port/database`, as {@link parseConnectionUrl} reads it. */
  readonly url: string;
  /**
   * Where to listen for notices of changes, if not at `url`: past a pooler in transaction mode, which drops them. The same
   * database of the same server.
   */
  readonly notifyUrl?: string;
  /** How many connections there are at most; 20 without it. */
  readonly poolMax?: number;
  /** After how many milliseconds an unused connection is closed; 30000 without it. */
  readonly idleMs?: number;
  /**
   * As libpq has it: `require` encrypts, `verify-ca` checks the certificate of the server too, `verify-full` also that it
   * is for this host. With `caPem`, `require` is `verify-ca`. A Unix socket has no TLS.
   */
  readonly ssl: SslMode;
  /** The certificate authority of the server in PEM; the authorities of the system without it. */
  readonly caPem?: string;
  /**
   * How long a unit of work, or a read outside of one, may take with all that it waits for, in milliseconds; 5000
   * without it. What takes longer ends as `STORE_UNAVAILABLE` and is rolled back.
   */
  readonly statementTimeoutMs?: number;
  /** How long a new connection may take, in seconds; 5 without it. */
  readonly connectTimeoutSeconds?: number;
  /**
   * `auto` and `only` apply pending migrations first; `only` is what a process says that ends afterwards. `off` refuses
   * a database with pending ones, and needs no right but to take the role `kms_app`.
   */
  readonly migrate: 'auto' | 'off' | 'only';
  /** Refuses to change anything as long as no synchronous standby follows the server; `false` without it. */
  readonly requireStandby?: boolean;
  /** Is told each time the connection for the notices of changes is lost or can not be made. It comes back by itself. */
  readonly onFeedLost?: (error: unknown) => void;
}
