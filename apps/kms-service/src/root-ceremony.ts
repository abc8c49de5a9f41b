import { KmsError, softwareRoot } from '@qnsp/kms-core';
import {
  type AddedRoot,
  addRoot,
  initialiseRoots,
  KeyHierarchy,
  type Operation,
  type OperationName,
  operationOfService,
  retireRoot,
  type RootCeremony,
  type RootsReport,
  rootStatus,
  rotateRoot,
} from '@qnsp/kms-core/internal';
import type { RootProvider, RootRecord } from '@qnsp/kms-core/ports';
import { asConfigurationError, openStoreAndRoots } from './compose.ts';
import { ConfigurationError } from './config/configuration-error.ts';
import { readConfig, readNewRootKey } from './config/env.ts';
import type { ServiceConfig } from './config/service-config.ts';
import type { Environment } from './config/variables.ts';
import { enterFipsMode } from './fips/enter-fips-mode.ts';
import { mixedRandom } from './roots/hardware-random.ts';
import { hsmRoot, makeRootIn, openConfigured, type OpenedRoots } from './roots/open-roots.ts';

/** Runs one operation on the roots of a service, on its host and with its environment, beside it or without it. */
export interface RootOperations {
  status(): Promise<RootsReport>;
  /** Starts using the configured roots in a fresh database. */
  init(): Promise<RootsReport>;
  /** Adds the root of a configured provider beside the others. */
  addProvider(providerId: string): Promise<AddedRoot>;
  /** @param checkValue which root, for a provider that has two */
  retireProvider(providerId: string, checkValue?: string): Promise<RootRecord>;
  /**
   * Creates a new root in a provider and starts using it beside the old one.
   *
   * @param label the label of the new root in an HSM; the software root takes its new key from `KMS_NEW_ROOT_KEY`
   */
  rotate(providerId: string, label?: string): Promise<AddedRoot>;
}

/**
 * The operations on roots. Each opens the database and the HSMs for itself and closes them again.
 *
 * @param environment that of the service
 * @throws ConfigurationError (exit code 78) with every problem of the environment
 * @example
 * const { masterKeys, roots } = await rootOperations(process.env).status();
 */
export function rootOperations(environment: Environment): RootOperations {
  const config = readConfig(environment);
  if (config.fips !== undefined) enterFipsMode(config.fips, config.dataDir);
  return {
    status: () => withCeremony(config, 'rootStatus', rootStatus),
    init: () => withCeremony(config, 'initialiseRoots', initialiseRoots, false),
    addProvider: (providerId) => withCeremony(config, 'addRoot', (op) => addRoot(op, { providerId })),
    retireProvider: (providerId, checkValue) =>
      withCeremony(config, 'retireRoot', (op) => retireRoot(op, { providerId, checkValue })),
    rotate: (providerId, label) => rotate(config, environment, providerId, label),
  };
}

async function withCeremony<T>(
  config: ServiceConfig,
  name: OperationName,
  work: (op: Operation<RootCeremony>, opened: OpenedRoots) => Promise<T>,
  takesNewRoots = true,
): Promise<T> {
  // A ceremony holds no key in memory, so it needs no notices of changes.
  const opened = await openStoreAndRoots(config, () => undefined, takesNewRoots);
  const { roots } = opened;
  const { store } = opened.storage;
  try {
    const { random } = mixedRandom(roots.hsms, () => undefined);
    const hierarchy = new KeyHierarchy(store, roots.providers, { random });
    const parts = { store, hierarchy, makeRoot: roots.makeRoot, clock: () => Date.now() };
    return await work(operationOfService(parts, name), roots);
  } catch (error) {
    throw asConfigurationError(error, roots);
  } finally {
    await opened.close();
  }
}

function rotate(
  config: ServiceConfig,
  environment: Environment,
  providerId: string,
  label: string | undefined,
): Promise<AddedRoot> {
  return withCeremony(config, 'rotateRoot', async (op, opened) => {
    const { store, hierarchy } = op.kms;
    const next = await openNext(opened, environment, providerId, label);
    try {
      const withNext = new KeyHierarchy(store, [...hierarchy.roots.providers, next.provider]);
      const parts = { store, hierarchy: withNext, makeRoot: () => next.make() };
      return await rotateRoot({ ...op, kms: parts }, { next: next.provider });
    } finally {
      await next.close();
    }
  });
}

interface NextRoot {
  readonly provider: RootProvider;
  make(): Promise<void>;
  close(): Promise<void>;
}

async function openNext(
  roots: OpenedRoots,
  environment: Environment,
  providerId: string,
  label: string | undefined,
): Promise<NextRoot> {
  if (providerId === 'software') {
    const key = readNewRootKey(environment);
    try {
      return { provider: softwareRoot(providerId, key), make: async () => undefined, close: async () => undefined };
    } finally {
      key.fill(0);
    }
  }
  const configured = roots.configured.find(({ config }) => config.id === providerId);
  if (configured === undefined) throw new KmsError('NOT_FOUND', `No HSM ${providerId} is configured.`);
  const { keyId: _old, ...hsm } = configured.config;
  if (label === undefined || label === (hsm.label ?? 'qnsp-kms-root'))
    throw new KmsError(
      'BAD_REQUEST',
      'The new root of an HSM needs its own label, different from that of the old one.',
    );
  const opened = await openConfigured(configured.variable, { ...hsm, label }, false);
  const provider = hsmRoot(opened);
  return { provider, make: () => makeRootIn([opened])(provider), close: () => opened.close() };
}

/** What a command line distinguishes by its exit code. */
export function isConfigurationError(error: unknown): boolean {
  return error instanceof ConfigurationError;
}

/** The code of an error of the KMS, `undefined` for any other error. */
export function codeOf(error: unknown): string | undefined {
  return KmsError.is(error) ? error.code : undefined;
}
