import type { TrustedIssuer } from '@qnsp/credentials-jwt';
import type { HsmConfig } from '@qnsp/hsm-pkcs11';
import type { Algorithm } from '@qnsp/kms-core';
import type { CryptoPolicy } from '@qnsp/kms-core/algorithms';
import type { AwsConfig } from './read-aws.ts';
import type { EvidenceConfig } from './read-evidence.ts';
import type { FipsConfig } from './read-fips.ts';
import type { LimitsConfig } from './read-limits.ts';
import type { TransportConfig } from './read-transport.ts';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Everything that the service can be told, checked. */
export interface ServiceConfig extends TransportConfig {
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Where the embedded defaults and `client.json` live. */
  readonly dataDir: string;
  /** The settings that are being changed in the whole fleet, so that a node may start that differs in them. */
  readonly fleetChange: readonly string[];
  /** Where it remembers, outside the database, what was committed; default: nowhere. */
  readonly stateDir: string | undefined;
  /** The tenant that is created, with a token, at the first start; default: none. */
  readonly bootstrapTenant: string | undefined;
  /** A token for the whole platform, chosen by the operator; default: none. */
  readonly platformToken: string | undefined;
  /** The restored copy that may serve although what ended since is not known, by the time of its data. */
  readonly acceptRestoredCopy: Date | undefined;
  /** The credential of the gateway in front of the service; default: none. */
  readonly gatewayCredential: string | undefined;
  /** The issuers whose JSON Web Tokens are taken. */
  readonly jwtIssuers: readonly TrustedIssuer[];
  /** Present where AWS KMS is spoken beside the interface of the platform. */
  readonly aws: AwsConfig | undefined;
  readonly defaultAlgorithm: Algorithm;
  readonly requireFips: boolean;
  /** Present in FIPS mode, that is, with `requireFips`. */
  readonly fips: FipsConfig | undefined;
  /** Which algorithms may be used, and until when; default: every algorithm. */
  readonly cryptoPolicy: CryptoPolicy | undefined;
  readonly limits: LimitsConfig;
  readonly cache: CacheConfig;
  readonly database: DatabaseConfig;
  /** The software root; `null` where the roots are in HSMs alone. */
  readonly root: RootConfig | null;
  /** The HSMs, in the order in which they are asked. */
  readonly hsms: readonly ConfiguredHsm[];
  readonly hsmSweep: {
    readonly intervalMs: number;
    readonly createLimitSeconds: number;
    readonly orphanGraceSeconds: number;
  };
  /** By how many seconds the clocks of this machine and of the database may differ; without an end with 0. */
  readonly clockSkewLimitSeconds: number;
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly maxConnections: number;
  /** How many bytes of answers may wait for clients to read them. */
  readonly maxAnswerBytes: number;
  /** Whether plain requests that use a key are read from their connections directly. */
  readonly socketFastPath: boolean;
  /** Whether requests are counted by tenant too. */
  readonly metricsByTenant: boolean;
  readonly shutdownTimeoutMs: number;
  readonly drainDelayMs: number;
  readonly jobIntervalMs: number;
  /** How long tokens are kept after they expired; `undefined` keeps them forever. */
  readonly tokenRetentionSeconds: number | undefined;
  /** How old the master key of a tenant gets before it is rotated; 0: any age. */
  readonly masterKeyRotationDays: number;
  /** For how many days after its last use a key is destroyed only by who acknowledges that use; 0: no guard. */
  readonly destroyGuardDays: number;
  /** How many others have to approve what cannot be undone; 0: nobody. */
  readonly requireApproval: number;
  /** How many processes serve; each of them is a node of its own. */
  readonly workers: number;
  /** How many threads the thread pool of a process has; Node itself reads the same variable. */
  readonly poolThreads: number;
  /** Absent when no evidence is kept. */
  readonly evidence: EvidenceConfig | undefined;
}

export interface CacheConfig {
  /** Without it every key and every token is read for every request. */
  readonly enabled: boolean;
  readonly ttlSeconds: number;
  readonly maxKeys: number;
  readonly maxBytes: number;
  /** The Redis that nodes share; default: none. */
  readonly redisUrl: string | undefined;
  readonly redisCaFile: string | undefined;
}

export type DatabaseConfig =
  | { readonly kind: 'pglite'; readonly dataDir: string; readonly timeoutMs: number }
  | {
      readonly kind: 'postgres';
      readonly url: string;
      /** Where to listen for notices of changes; default: at `url`. */
      readonly notifyUrl: string | undefined;
      readonly poolMax: number;
      readonly idleMs: number;
      readonly ssl: SslMode;
      readonly caFile: string | undefined;
      readonly timeoutMs: number;
      readonly migrate: MigrateMode;
      /** Nothing is changed as long as no synchronous standby follows the server. */
      readonly requireStandby: boolean;
    };

export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full';
export type MigrateMode = 'auto' | 'off' | 'only';

/**
 * Where the root key is: given in the environment, or in a file that is made when nothing uses it yet. The file of a
 * service with HSMs is `left-over`: it is read only while the database still uses it, and never made.
 */
export type RootConfig =
  | { readonly kind: 'given'; readonly key: Uint8Array }
  | { readonly kind: 'file' | 'left-over'; readonly path: string };

export interface ConfiguredHsm {
  /** What to name when something is wrong with it. */
  readonly variable: string;
  readonly hsm: HsmConfig & { readonly id: string };
}
