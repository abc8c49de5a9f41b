import type { Tombstone } from '../../model/tombstone.ts';
import type { RemovedTokens, TokenRetention } from '../../operations/remove-expired-tokens.ts';
import type { ResealReport } from '../../operations/reseal-master-keys.ts';
import type { DueMasterKeys, MasterKeySchedule } from '../../operations/rotate-due-master-keys.ts';
import type { MigrationsReport, MigrationsRun } from '../../operations/run-migrations.ts';
import type { DueWorkReport } from '../../operations/run-due-work.ts';
import type { SweepLimits, SweepReport } from '../../operations/sweep-resident-keys.ts';
import type { FirstTenant, FirstTenantInput } from '../../operations/tenants.ts';

/**
 * What the KMS does by itself: nobody calls for it, so nobody's permissions are asked. Any number of processes may do any of it at
 * the same time.
 */
export interface OwnKms {
  /**
   * Makes a tenant and its first token in one unit of work, for the first start of a service that nobody can call yet. Once there is a
   * tenant it does nothing and answers `undefined`. `publish` gets the token before it is valid, to write it where its owner finds it.
   *
   * @throws KmsError `BAD_REQUEST` for a name or a token that are out of bounds.
   * @example
   * const first = await kms.own.bootstrapTenant({
   *   name: 'first',
   *   token: { name: 'admin', role: 'tenant_admin' },
   *   publish: ({ token }) => console.log(token),
   * });
   * console.log(first); // undefined
   */
  bootstrapTenant(input: FirstTenantInput): Promise<FirstTenant | undefined>;

  /**
   * Makes a token that the operator chose the only one that is valid for the whole platform: any earlier one is revoked, and without a
   * token every one is. A token that was revoked once stays revoked.
   *
   * @throws KmsError `BAD_REQUEST` for a text that is not `qnsp_pqc_` and 43 characters of base64url.
   * @example
   * import { randomBytes } from 'node:crypto';
   * const token = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
   * await kms.own.installPlatformToken(token);
   * const operator = kms.as(await kms.authenticate({ bearer: token }));
   * console.log((await operator.createTenant({ name: 'bakery' })).state); // active
   */
  installPlatformToken(token: string | undefined): Promise<void>;

  /**
   * Removes tokens that expired more than `seconds` ago, until there are no more, the limit of one run is reached or the signal is
   * aborted. A KMS that was opened with `schedule.tokenRetentionSeconds` does so by itself.
   *
   * @throws KmsError `BAD_REQUEST` for a time outside of 1 second to 100 years.
   * @example
   * const { removed, kept } = await kms.own.removeExpiredTokens({ seconds: 86_400 }, AbortSignal.timeout(10_000));
   * console.log(removed, kept); // 0 0
   */
  removeExpiredTokens(retention: TokenRetention, signal: AbortSignal): Promise<RemovedTokens>;

  /**
   * Ends, in a restored copy of the database, what had ended before the restore. What has already ended is skipped.
   *
   * @throws KmsError `BAD_REQUEST` for a tombstone that is none.
   * @example
   * const { tokenId, token } = await ada.createToken({ name: 'leaked', role: 'key_user' });
   * await kms.own.applyTombstones([{ kind: 'token', tokenId }]);
   * console.log(await kms.authenticate({ bearer: token }).catch((error) => error.code)); // UNAUTHORIZED
   */
  applyTombstones(tombstones: readonly Tombstone[]): Promise<void>;

  /**
   * Rotates the keys whose rotation is due and destroys those whose waiting period is over, until nothing is due or the signal is
   * aborted. A KMS that was opened with `schedule` does so by itself.
   *
   * @throws KmsError `STORE_UNAVAILABLE`. The failure of a single key is in `failed` of the answer, and does not stop the others.
   * @example
   * const { rotated, destroyed, failed } = await kms.own.runDueWork(AbortSignal.timeout(10_000));
   * console.log(rotated, destroyed, failed); // 0 0 []
   */
  runDueWork(signal: AbortSignal): Promise<DueWorkReport>;

  /**
   * Rotates the master keys of tenants that are older than `days`, up to `limit` of them, and forgets what was left of those that were
   * destroyed a day ago. A KMS that was opened with `schedule.masterKeyRotationDays` does so by itself.
   *
   * @throws KmsError `STORE_UNAVAILABLE`. The failure of a single tenant is in `failed` of the answer, and does not stop the others.
   * @example
   * const { rotated, more } = await kms.own.rotateDueMasterKeys({ days: 365, limit: 10 }, AbortSignal.timeout(10_000));
   * console.log(rotated, more); // 0 false
   */
  rotateDueMasterKeys(schedule: MasterKeySchedule, signal: AbortSignal): Promise<DueMasterKeys>;

  /**
   * Seals again what is under earlier versions of the master keys of tenants, and destroys those when nothing is left under them, until all is
   * done or the signal is aborted. A KMS that was opened with `schedule` does so by itself.
   *
   * @throws KmsError `STORE_UNAVAILABLE`. The failure of a single tenant is in `failed` of the answer, and does not stop the others.
   * @example
   * await ada.rotateMasterKey({ tenantId });
   * const { retired, kept } = await kms.own.resealMasterKeys(AbortSignal.timeout(10_000));
   * console.log(retired.includes(tenantId), kept); // true 0
   */
  resealMasterKeys(signal: AbortSignal): Promise<ResealReport>;

  /**
   * Goes on with the migrations that callers started with `createMigration`, until none is due or the signal is aborted. A KMS that was
   * opened with `schedule` does so by itself.
   *
   * @throws KmsError `STORE_UNAVAILABLE`. The failure of a single key or migration is in the answer, and does not stop the others.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('Ed25519') });
   * await ada.createMigration({ selector: { keyIds: [keyId] }, target: 'quantum-safe' });
   * const { upgraded, failed } = await kms.own.runMigrations({ holder: 'batch 7' }, AbortSignal.timeout(10_000));
   * console.log(upgraded, failed, (await ada.getKey({ keyId })).algorithmNist); // 1 [] ML-DSA-65
   */
  runMigrations(run: MigrationsRun, signal: AbortSignal): Promise<MigrationsReport>;

  /**
   * Reconciles each HSM that keys may live in with the database: objects that a crash left behind are destroyed after their time, and
   * objects that are missing are named. One report for each HSM.
   *
   * @throws KmsError `BAD_REQUEST` for limits that are not whole seconds.
   * @example
   * const reports = await kms.own.sweepResidentKeys({ createLimitSeconds: 600, orphanGraceSeconds: 30 * 86_400 });
   * console.log(reports); // []
   */
  sweepResidentKeys(limits: SweepLimits): Promise<readonly SweepReport[]>;
}
