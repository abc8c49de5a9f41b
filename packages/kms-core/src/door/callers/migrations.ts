import type { KeyMigrationDescription } from '../../model/describe-migration.ts';
import type { CreatedMigration, CreateMigrationInput } from '../../operations/create-migration.ts';
import type { ListMigrationsInput, ListMigrationsResult, NamedMigration } from '../../operations/migrations.ts';

/** The operations that move many keys to another algorithm. */
export interface MigrationOperations {
  /**
   * Starts to upgrade keys in the background, each to a new version under another algorithm; their versions before that still read what
   * they protected. With `dryRun` nothing is changed: the answer is a page of what would be done with which key, and why not with others.
   * One migration of a tenant runs at a time.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:migrate` and `kms:keys:rotate`; `CONFLICT` while another one of the tenant is running;
   *   `BAD_REQUEST` for an algorithm that is not approved in FIPS mode.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('RSA-2048'), purpose: 'sign' });
   * const { plan } = await ada.createMigration({ selector: { keyIds: [keyId] }, target: 'quantum-safe', dryRun: true });
   * const [key] = plan?.items ?? [];
   * console.log(key?.action, key?.algorithm, key?.target); // upgrade rsa-2048 dilithium-3
   */
  createMigration(input: CreateMigrationInput): Promise<CreatedMigration>;

  /**
   * Lists the migrations of the tenant, newest first, a page at a time: what is running, and the last hundred that have ended.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read`; `BAD_REQUEST` for a cursor of another list.
   * @example
   * await ada.createMigration({ target: 'quantum-safe' });
   * const { items } = await ada.listMigrations();
   * console.log(items[0]?.target, items[0]?.state); // quantum-safe running
   */
  listMigrations(input?: ListMigrationsInput): Promise<ListMigrationsResult>;

  /**
   * How far a migration has got: how many keys were upgraded, and how many stay as they are for which reason.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read`; `NOT_FOUND`.
   * @example
   * const { migration } = await ada.createMigration({ target: 'quantum-safe' });
   * await kms.own.runMigrations({ holder: 'this process' }, AbortSignal.timeout(10_000));
   * const { state, keys } = await ada.getMigration({ migrationId: migration?.migrationId ?? '' });
   * console.log(state, keys.examined === keys.total); // completed true
   */
  getMigration(input: NamedMigration): Promise<KeyMigrationDescription>;

  /**
   * Ends a running migration. The keys that it upgraded stay as they are; no further one is changed.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:migrate`; `NOT_FOUND`.
   * @example
   * const { migration } = await ada.createMigration({ target: 'quantum-safe' });
   * const { state } = await ada.cancelMigration({ migrationId: migration?.migrationId ?? '' });
   * console.log(state); // cancelled
   */
  cancelMigration(input: NamedMigration): Promise<KeyMigrationDescription>;
}
