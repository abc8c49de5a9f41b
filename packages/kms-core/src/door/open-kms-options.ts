import type { Algorithm } from '../algorithms/registry.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { CryptoPolicy } from '../crypto-policy/crypto-policy.ts';
import type { MakeRoot } from '../hierarchy/establish-roots.ts';
import type { RecordFormats } from '../hierarchy/record-formats.ts';
import type { OpenCaches } from '../keyring/kms-caches.ts';
import type { AlertSink } from '../model/alert.ts';
import type { Quotas } from '../model/quotas.ts';
import type { RateLimit } from '../model/tenant-limits.ts';
import type { Schedule } from './scheduled-work.ts';
import type { CredentialVerifier } from '../ports/credential-verifier.ts';
import type { Jobs } from '../ports/jobs.ts';
import type { KeepEvidence } from '../ports/kept-evidence.ts';
import type { ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import type { Storage } from '../ports/storage.ts';

/** What a KMS is opened with. */
export interface OpenKmsOptions {
  /** The database, as an adapter opened it. It belongs to the KMS from now on, which closes it, even if opening fails. */
  readonly storage: Storage;
  /** The root, or the roots, under which everything else is sealed; the same at every start. */
  readonly roots: RootProvider | readonly RootProvider[];
  /** Hears what an operator should know and no caller is told: forged records, roots that go, a database that was replaced. */
  readonly alert: AlertSink;
  /** Holds keys and tokens in memory; default: each use reads the database. */
  readonly cache?: OpenCaches | undefined;
  /** Keeps evidence of every call; default: none is kept. */
  readonly evidence?: KeepEvidence | undefined;
  /**
   * Does scheduled rotations and destructions, and seals again what is under earlier master keys; default: all of that stays due until
   * another process does it.
   */
  readonly schedule?: Schedule | undefined;
  /** Kinds of credentials beside API tokens, in the order in which they are asked. */
  readonly verifiers?: readonly CredentialVerifier[];
  /** HSMs in which keys may live, in the order in which they are asked. */
  readonly resident?: readonly ResidentKeyProvider[];
  /** Makes the root of a provider that has none, at the first start. Software roots need nothing made. */
  readonly makeRoot?: MakeRoot;
  /** What slow work waits in; default: `poolJobs` for a thread pool of four threads, which is what Node.js has by default. */
  readonly jobs?: Jobs | undefined;
  /** Random bytes for key material and for `getRandom`; default: the operating system's generator. */
  readonly random?: (bytes: number) => MaybePromise<Uint8Array>;
  /** The algorithm of keys whose creator names none, in any spelling; default: AES-256-GCM. */
  readonly defaultAlgorithm?: string | Algorithm;
  /** How many of each kind a tenant may have that has no limit of its own; default: 100,000 keys with 1,000 versions each, 10,000 API tokens, 1,000 identity bindings, 100,000 answers kept under idempotency keys. 0 is any number. */
  readonly quotas?: Partial<Quotas> | undefined;
  /** What the program holds each tenant to that has no limit of its own, to be shown with what it uses; default: nothing. */
  readonly tenantRate?: RateLimit | undefined;
  /** For how many days after its last use a key is destroyed only by who acknowledges that use, where its tenant has no guard of its own; default: 0, no guard. */
  readonly destroyGuardDays?: number | undefined;
  /** How many others have to approve what cannot be undone, where the tenant says nothing of its own; default: 0, nobody. */
  readonly requireApproval?: number | undefined;
  /** How long credentials of issuers live at most, in seconds, which denials of them last for; default: 366 days. */
  readonly credentialLifetimeSeconds?: number | undefined;
  /** Allow only algorithms that are approved for FIPS 140-3. The process has to be in FIPS mode. */
  readonly requireFips?: boolean;
  /**
   * With `requireFips`: let keys of other algorithms still read what they protected. The process then only prefers the FIPS provider, as
   * OpenSSL has to have what that provider lacks; that the provider is there is checked, which takes Node.js 26.
   */
  readonly legacyRead?: boolean;
  /** Which algorithms may be used, and until when, as `readCryptoPolicy` read it; default: every algorithm. */
  readonly cryptoPolicy?: CryptoPolicy | undefined;
  /** Lets a restored copy of the database serve without tombstones: the time of its data, as the refusal names it. */
  readonly acceptRestoredCopy?: Date | undefined;
  /**
   * For a service that itself runs the self test, compares the processes of its fleet, settles restored copies and begins the
   * evidence: the formats of records that it decided on. Default: all of that is done here.
   */
  readonly supervised?: { readonly formats: RecordFormats };
}
