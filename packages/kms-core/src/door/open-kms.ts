import { getFips, randomBytes } from 'node:crypto';
import { resolveAlgorithm } from '../algorithms/resolve.ts';
import { PolicyVerdicts } from '../crypto-policy/policy-verdicts.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { establishRoots } from '../hierarchy/establish-roots.ts';
import { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import type { RecordFormats } from '../hierarchy/record-formats.ts';
import { WrittenFormat } from '../hierarchy/written-format.ts';
import { IdentityRing } from '../keyring/identity-ring.ts';
import { KeyRing } from '../keyring/key-ring.ts';
import { KeyUses } from '../keyring/key-uses.ts';
import type { KmsCaches } from '../keyring/kms-caches.ts';
import { OperationBudgets } from '../keyring/operation-budgets.ts';
import { OperationCounter } from '../keyring/operation-counter.ts';
import { SharedRecords } from '../keyring/shared-records.ts';
import { TenantQuotas } from '../keyring/tenant-quotas.ts';
import { TokenRing } from '../keyring/token-ring.ts';
import type { AlertSink } from '../model/alert.ts';
import { DEFAULT_QUOTAS } from '../model/quotas.ts';
import type { Kms } from '../operations/kms.ts';
import { startScheduledWork } from './scheduled-work.ts';
import { SILENT_FEED } from '../ports/change-feed.ts';
import type { RunningEvidence } from '../ports/kept-evidence.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import { Storage } from '../ports/storage.ts';
import { poolJobs } from '../scheduling/pool-jobs.ts';
import { fipsProviderProblem } from '../self-test/live-fips-provider.ts';
import { checkOptions } from './check-options.ts';
import { OpenedKms } from './opened-kms.ts';
import { RunningCalls } from './running-calls.ts';
import { requireSelfTest } from './self-tested.ts';
import { supervise } from './supervision.ts';
import type { OpenKmsOptions } from './open-kms-options.ts';

/**
 * Opens a key management system on a database: tests the cryptography, makes sure that roots and database belong together
 * (at the first start it makes what is not there), and that this process may serve beside the others that work on it.
 *
 * @throws KmsError `BAD_REQUEST` for options that are none; `SEALED` when the roots are not those of this database, for a
 *   restored copy that nobody has settled, and when a self test fails; `HSM_UNAVAILABLE` when no root answers; `CONFLICT` when
 *   processes on one database do not agree about evidence; `STORE_UNAVAILABLE`.
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { localCaller, openKms, softwareRoot } from '@qnsp/kms-core';
 * import { openPgliteStore } from '@qnsp/kms-store-drizzle';
 * // The same 32 bytes at every start, from wherever the program keeps its secrets.
 * const rootKey = randomBytes(32);
 * await using kms = await openKms({
 *   storage: await openPgliteStore({ dataDir: 'memory://' }),
 *   roots: softwareRoot('software', rootKey),
 *   alert: ({ message }) => console.error(message),
 * });
 * const ada = kms.as(localCaller({ tenantId: await kms.ensureTenant('shop'), subject: 'ada', role: 'tenant_admin' }));
 * const { keyId } = await ada.createKey({ name: 'orders' });
 * const { ciphertext } = await ada.encrypt({ keyId, plaintext: Buffer.from('hello') });
 * console.log(Buffer.from((await ada.decrypt({ ciphertext })).plaintext).toString()); // hello
 */
export async function openKms(options: OpenKmsOptions): Promise<OpenedKms> {
  const { storage } = options ?? {};
  if (!Storage.isWhole(storage))
    throw badRequest('storage', 'must be one that an adapter opened, whole: not a copy of one, nor parts of several');
  const closing: (() => Promise<void>)[] = [() => storage.close()];
  try {
    return await open(options, closing);
  } catch (error) {
    await closeAll(closing);
    throw error;
  }
}

async function open(options: OpenKmsOptions, closing: (() => Promise<void>)[]): Promise<OpenedKms> {
  checkOptions(options);
  const { storage, alert, supervised, requireFips = false, legacyRead = false } = options;
  if (requireFips) requireFipsProvider(legacyRead);
  if (supervised === undefined) await requireSelfTest(requireFips && !legacyRead);
  const format = new WrittenFormat(storage.fleet === undefined);
  const { kms, evidence } = await assemble(options, supervised?.formats ?? format, closing);
  const calls = new RunningCalls();
  if (supervised === undefined) {
    const { acceptRestoredCopy } = options;
    const watch = await supervise({ kms, storage, evidence, format, calls, alert, acceptRestoredCopy });
    closing.push(() => watch.stop());
  }
  if (options.schedule !== undefined) {
    const { mayWork } = options.schedule;
    const work = startScheduledWork(kms, {
      ...options.schedule,
      mayWork: async () => calls.refusal === undefined && ((await mayWork?.()) ?? true),
    });
    closing.push(() => work.stop());
  }
  // First, so that what was called for still finds everything.
  closing.push(() => calls.close());
  return new OpenedKms(kms, {
    calls,
    alert,
    verifiers: options.verifiers ?? [],
    close: () => closeAll(closing),
  });
}

/** Where what is not approved may be read, the runtime is not in its FIPS mode, but the provider has to be there all the same. */
function requireFipsProvider(legacyRead: boolean): void {
  if (!legacyRead && getFips() !== 1)
    throw new KmsError('SEALED', 'The process is not in FIPS mode: start Node.js with the FIPS provider of OpenSSL.');
  const problem = legacyRead ? fipsProviderProblem() : undefined;
  if (problem !== undefined)
    throw new KmsError('SEALED', `FIPS mode needs the FIPS provider of OpenSSL, but ${problem}.`);
}

/** Puts the parts together; each that has to be closed is in `closing`, even if a later one fails. */
async function assemble(
  options: OpenKmsOptions,
  formats: RecordFormats,
  closing: (() => Promise<void>)[],
): Promise<{ readonly kms: Kms; readonly evidence: RunningEvidence | undefined }> {
  const { storage, alert, random = randomBytes, resident = [], defaultAlgorithm = 'AES-256-GCM' } = options;
  const { store } = storage;
  const roots: readonly RootProvider[] = [options.roots].flat();
  const feed = options.cache === undefined ? SILENT_FEED : storage.changes;
  const hierarchy = new KeyHierarchy(store, roots, { random, alert, feed, formats });
  await establishRoots(store, hierarchy, roots, options.makeRoot);
  const caches = options.cache?.();
  closing.push(async () => caches?.close?.());
  const databaseClock = storage.clock;
  const clock = databaseClock === undefined ? () => Date.now() : databaseClock.now;
  const evidence = options.evidence?.({ store: storage.evidence, clock });
  closing.push(async () => evidence?.close());
  const counter = new OperationCounter();
  closing.push(() => counter.flush(store));
  const uses = new KeyUses();
  closing.push(() => uses.flush(store));
  const shared = sharedRecords(storage, caches, alert);
  const kms: Kms = {
    store,
    hierarchy,
    keyRing: new KeyRing(store, hierarchy, { feed, memory: caches?.keys, shared }, resident),
    tokens: new TokenRing(store, hierarchy, { feed, memory: caches?.tokens }),
    identities: new IdentityRing(store, hierarchy, { feed, memory: caches?.identities }, clock, alert),
    quotas: new TenantQuotas(
      store,
      hierarchy,
      { feed, memory: caches?.quotas },
      { ...DEFAULT_QUOTAS, ...options.quotas },
    ),
    budgets: new OperationBudgets(store),
    resident,
    counter,
    uses,
    jobs: options.jobs ?? poolJobs(),
    clock,
    random,
    alert,
    settings: {
      defaultAlgorithm: typeof defaultAlgorithm === 'string' ? resolveAlgorithm(defaultAlgorithm) : defaultAlgorithm,
      requireFips: options.requireFips ?? false,
      legacyRead: options.legacyRead,
      cryptoPolicy: options.cryptoPolicy && new PolicyVerdicts(options.cryptoPolicy),
      tenantRate: options.tenantRate,
      destroyGuardDays: options.destroyGuardDays,
      requireApproval: options.requireApproval,
      credentialLifetimeSeconds: options.credentialLifetimeSeconds,
    },
    evidence: evidence && { trail: evidence.trail, store: storage.evidence },
  };
  closing.push(() => kms.tokens.uses.flush(store));
  return { kms, evidence };
}

function sharedRecords(
  { changes }: Storage,
  caches: KmsCaches | undefined,
  alert: AlertSink,
): SharedRecords | undefined {
  if (caches?.shared === undefined) return undefined;
  const toAlert: KmsCaches['onRejected'] = (keyId, cause) =>
    alert({ kind: 'record-forged', message: `The shared cache holds no authentic record of the key ${keyId}.`, cause });
  return new SharedRecords(caches.shared, changes, caches.onRejected ?? toAlert);
}

/** Closes everything, the last first, even if a part fails. Throws the first failure. */
async function closeAll(closing: (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
