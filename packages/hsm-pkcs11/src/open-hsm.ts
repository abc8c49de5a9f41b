import { KmsError } from '@qnsp/kms-core';
import type { ResidentKeyProvider, RootProvider } from '@qnsp/kms-core/ports';
import { HsmConfigurationError } from './configuration/configuration-error.ts';
import { hsmUnavailable } from './connection/hsm-errors.ts';
import { HsmLink } from './connection/hsm-link.ts';
import type { LinkStatus } from './connection/link-status.ts';
import { RefusedPins } from './connection/refused-pins.ts';
import { type HsmConfig, readHsmConfig } from './configuration/hsm-config.ts';
import { CKM, MECHANISM_NAMES } from './protocol/cryptoki.ts';
import type { TokenIdentity } from './protocol/messages.ts';
import { HsmResidentKeys } from './resident/resident-keys.ts';
import { HsmRoot } from './roots/hsm-root.ts';

const MAX_RANDOM_BYTES = 65_536;

/** One HSM, as it stands. Holds no secret. */
export interface HsmStatus extends LinkStatus {
  readonly id: string;
}

/** One token of one PKCS #11 module. */
export interface Hsm {
  /** The name of the provider, for root and resident keys alike. */
  readonly id: string;
  readonly root: RootProvider;
  readonly resident: ResidentKeyProvider;
  /**
   * C_GenerateRandom. Mix it (`mixRandom`); never use it alone.
   *
   * @throws KmsError `HSM_UNAVAILABLE`
   */
  random(bytes: number): Promise<Uint8Array>;
  /** Whether the token holds the root that the configuration names, by id and label. Says nothing about its attributes. */
  hasRoot(): Promise<boolean>;
  /**
   * Makes the root in the token and asserts it. Call it only when nothing is wrapped under another root yet.
   *
   * @throws HsmConfigurationError `root-exists` or `mechanism`
   */
  createRoot(): Promise<void>;
  /** Destroys the root. Everything that is wrapped only under it is lost. */
  destroyRoot(): Promise<void>;
  status(): HsmStatus;
  /**
   * The mechanisms of the token that the service uses for one thing or another, by their names in PKCS #11.
   *
   * @throws KmsError `HSM_UNAVAILABLE` as long as the token was never reached
   */
  mechanisms(): Promise<readonly string[]>;
  /** Ends the process of the module. Calls after it fail. */
  close(): Promise<void>;
}

/** How an HSM is opened. */
export interface OpenHsmOptions {
  /** The environment of the module's process; default: that of this process, without what belongs to the service. */
  readonly environment?: NodeJS.ProcessEnv;
  /**
   * Returns an HSM that is away now, instead of throwing: it is connected when it is back. For an HSM that is one of
   * several. Wrong PINs and modules that cannot be loaded still throw.
   */
  readonly tolerateAbsence?: boolean;
  /** The PINs that were refused; by default those of this process. */
  readonly refusedPins?: RefusedPins;
  /** The tokens of the same module that other HSMs of this process use: an index that leads to one of them has moved. */
  readonly taken?: () => readonly TokenIdentity[];
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
}

// A token counts wrong PINs regardless of who in this process tries them, so they are remembered for the whole process.
const refusedByProcess = new RefusedPins();

/** What of the service's environment no module needs to see. */
const OWN_VARIABLES = /^(KMS_|DATABASE_|PG|NODE_OPTIONS$)/;

/**
 * Loads a PKCS #11 module in a separate process, finds the token and logs in.
 *
 * @throws HsmConfigurationError for what no retry fixes: the service ends with code 78
 * @throws KmsError `HSM_UNAVAILABLE` when the HSM cannot be reached now
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { openHsm } from '@qnsp/hsm-pkcs11';
 * // The module is the library of the HSM's maker, and the slot the one of its token.
 * const hsm = await openHsm({ modulePath, slot, pin });
 * if (!(await hsm.hasRoot())) await hsm.createRoot();
 * const [masterKey, about] = [randomBytes(32), Buffer.from('a tenant')];
 * const wrapped = await hsm.root.wrap(masterKey, about);
 * console.log(Buffer.compare(await hsm.root.unwrap(wrapped, about), masterKey)); // 0
 * await hsm.close();
 */
export async function openHsm(config: HsmConfig, options: OpenHsmOptions = {}): Promise<Hsm> {
  const settings = readHsmConfig(config);
  const link = new HsmLink(settings, {
    environment: options.environment ?? environmentOfModules(process.env),
    refusedPins: options.refusedPins ?? refusedByProcess,
    taken: options.taken ?? (() => []),
    now: options.now ?? (() => performance.now()),
  });
  const root = new HsmRoot(link, settings);
  try {
    await link.connect();
  } catch (error) {
    if (options.tolerateAbsence !== true || !isAbsence(error)) {
      await link.close();
      throw error;
    }
  }
  return {
    id: settings.id,
    root,
    resident: new HsmResidentKeys(settings.id, link),
    random: async (bytes) => {
      if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > MAX_RANDOM_BYTES)
        throw new RangeError(`an HSM is asked for 1 to ${MAX_RANDOM_BYTES} random bytes`);
      const random = await link.call({ op: 'random', bytes });
      if (random.length !== bytes) throw hsmUnavailable(settings.id, 'it returned too few random bytes', 1000);
      return random;
    },
    hasRoot: () => root.exists(),
    createRoot: () => root.create(),
    destroyRoot: () => root.destroy(),
    status: () => ({ id: settings.id, ...link.status() }),
    mechanisms: async () => usedOf(await link.mechanisms()),
    close: () => link.close(),
  };
}

function usedOf(mechanisms: readonly number[]): readonly string[] {
  const used = Object.entries(CKM).filter(([, mechanism]) => mechanisms.includes(mechanism));
  // The names of the table are its keys.
  return used.map(([name]) => MECHANISM_NAMES[name as keyof typeof CKM]);
}

function isAbsence(error: unknown): boolean {
  if (error instanceof HsmConfigurationError) return error.problem === 'slot' || error.problem === 'initialise';
  return KmsError.is(error) && error.code === 'HSM_UNAVAILABLE';
}

function environmentOfModules(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !OWN_VARIABLES.test(name)));
}
