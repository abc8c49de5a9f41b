import { CommandError, EXIT } from '../terminal/exit-codes.ts';

interface RootRecord {
  readonly providerId: string;
  readonly checkValue: string;
}

export interface AddedRoot {
  readonly root: RootRecord;
  readonly added: number;
}

export interface RootsReport {
  readonly masterKeys: number;
  readonly roots: readonly {
    readonly providerId: string;
    readonly checkValue: string | null;
    readonly inUse: boolean;
    readonly configured: boolean;
    readonly answers: boolean;
    readonly wraps: number;
  }[];
}

export interface RootOperations {
  status(): Promise<RootsReport>;
  init(): Promise<RootsReport>;
  addProvider(providerId: string): Promise<AddedRoot>;
  retireProvider(providerId: string, checkValue?: string): Promise<RootRecord>;
  rotate(providerId: string, label?: string): Promise<AddedRoot>;
}

/** The part of the service that the root commands use. */
export interface RootCeremonyModule {
  rootOperations(environment: Readonly<Record<string, string | undefined>>): RootOperations;
  isConfigurationError(error: unknown): boolean;
  codeOf(error: unknown): string | undefined;
}

/** The service's own entry for operations on roots: these commands need its database and its HSMs, not its HTTP. */
const MODULE: string = '@qnsp/kms-service/root-ceremony';

/**
 * Loads the service's part of the root commands.
 *
 * @throws CommandError on a machine where the service is not installed.
 */
export async function loadRootCeremony(): Promise<RootCeremonyModule> {
  try {
    // A test holds the module to this type.
    return (await import(MODULE)) as RootCeremonyModule;
  } catch (cause) {
    if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new CommandError(
      EXIT.configuration,
      'The root commands work on the host of the service: run them where the service is installed, with its environment.',
      { cause },
    );
  }
}
