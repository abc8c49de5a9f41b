import { type Hsm, type HsmConfig, HsmConfigurationError, openHsm, type TokenIdentity } from '@qnsp/hsm-pkcs11';
import { KmsError, softwareRoot } from '@qnsp/kms-core';
import type { MakeRoot, RootProvider, RootRecord } from '@qnsp/kms-core/ports';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { RootConfig, ServiceConfig } from '../config/service-config.ts';
import { readOrCreateRootKey, readRootKey } from '../config/root-key-file.ts';
import { type OpenedHsm, recogniseHsms } from './recognise-hsms.ts';

const SOFTWARE = 'software';

/** The configured roots and HSMs, opened. */
export interface OpenedRoots {
  /** The HSMs first: what is new is attributed to the first root, and the software root is there only to leave. */
  readonly providers: readonly RootProvider[];
  readonly hsms: readonly Hsm[];
  /** The entries of the configuration, each under the name of the root that it leads to. */
  readonly configured: readonly OpenedHsm[];
  readonly makeRoot: MakeRoot;
  /** The variable that a person has to look at for a provider. */
  variableOf(providerId: string | undefined): string;
  close(): Promise<void>;
}

/**
 * Opens the configured roots.
 *
 * @param known the roots that the database uses
 * @param ceremony whether this is for the operations on roots, which take in roots that the database does not use yet
 * @throws ConfigurationError naming the variable of what cannot be used and is not merely away.
 */
export async function openRoots(
  config: Pick<ServiceConfig, 'root' | 'hsms'>,
  known: readonly RootRecord[],
  ceremony = false,
): Promise<OpenedRoots> {
  const software = openSoftware(config, known, ceremony);
  const open = new Set<OpenedHsm>();
  const close = async () => {
    await Promise.all([...open].map(({ hsm }) => hsm.close()));
  };
  const openEntry = async (variable: string, hsm: OpenedHsm['config']): Promise<OpenedHsm> => {
    // One of several may be away; one that the database never saw, or the only one, is rather configured wrongly.
    const several = config.hsms.length + software.length > 1 || ceremony;
    const tolerateAbsence = several && known.some((root) => root.providerId === hsm.id);
    const taken = () =>
      [...open].flatMap((other) => (other.variable === variable ? [] : tokenIn(other, hsm.modulePath)));
    const entry: OpenedHsm = {
      variable,
      config: hsm,
      hsm: await openConfigured(variable, hsm, tolerateAbsence, taken),
    };
    open.add(entry);
    return entry;
  };
  try {
    const entries: OpenedHsm[] = [];
    for (const { variable, hsm } of config.hsms) entries.push(await openEntry(variable, hsm));
    const recognised = await recogniseHsms(entries, known, async (entry, id) => {
      open.delete(entry);
      await entry.hsm.close();
      return openEntry(entry.variable, { ...entry.config, id });
    });
    const hsms = recognised.map(({ hsm }) => hsm);
    return {
      providers: [...hsms.map(hsmRoot), ...software],
      hsms,
      configured: recognised,
      makeRoot: makeRootIn(hsms),
      variableOf: (providerId) =>
        recognised.find(({ hsm }) => hsm.id === providerId)?.variable ??
        (providerId === SOFTWARE ? 'KMS_ROOT_KEY' : (config.hsms[0]?.variable ?? 'KMS_ROOT_KEY')),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The token that an HSM uses, for others of its module to leave alone. */
function tokenIn({ config, hsm }: OpenedHsm, modulePath: string): readonly TokenIdentity[] {
  const { token } = hsm.status();
  return token === null || config.modulePath !== modulePath ? [] : [token];
}

/** Opens one HSM, with a configuration error that names its variable. */
export async function openConfigured(
  variable: string,
  hsm: HsmConfig,
  tolerateAbsence: boolean,
  taken: () => readonly TokenIdentity[] = () => [],
): Promise<Hsm> {
  try {
    return await openHsm(hsm, { tolerateAbsence, taken });
  } catch (error) {
    if (!(error instanceof HsmConfigurationError)) throw error;
    throw new ConfigurationError([{ variable, reason: error.message }]);
  }
}

/** The root of an HSM with the errors of the port: one that is missing or weakened is `SEALED`. */
export function hsmRoot({ id, root }: Hsm): RootProvider {
  const answer = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (cause) {
      if (!(cause instanceof HsmConfigurationError)) throw cause;
      throw new KmsError('SEALED', cause.message, { details: { providerId: id }, cause });
    }
  };
  return {
    id,
    kind: root.kind,
    checkValue: () => answer(() => root.checkValue()),
    wrap: (key, aad) => answer(() => root.wrap(key, aad)),
    unwrap: (wrapped, aad) => answer(() => root.unwrap(wrapped, aad)),
  };
}

/** Makes the root in an HSM that has none. A software root is there when it is opened. */
export function makeRootIn(hsms: readonly Hsm[]): MakeRoot {
  return async (provider) => {
    const hsm = hsms.find((candidate) => candidate.id === provider.id);
    if (hsm !== undefined && !(await hsm.hasRoot())) await hsm.createRoot();
  };
}

function openSoftware(
  { root, hsms }: Pick<ServiceConfig, 'root' | 'hsms'>,
  known: readonly RootRecord[],
  ceremony: boolean,
): readonly RootProvider[] {
  const isKnown = known.some((each) => each.providerId === SOFTWARE);
  if (root === null || (root.kind === 'left-over' && !isKnown)) return [];
  if (hsms.length > 0 && !isKnown && !ceremony)
    throw new ConfigurationError([
      {
        variable: 'KMS_ROOT_KEY',
        reason:
          'the database does not use a software root; beside an HSM it is only meant for the time until it is retired: unset it',
      },
    ]);
  const key = readKey(root, known);
  try {
    return [softwareRoot(SOFTWARE, key)];
  } finally {
    key.fill(0);
  }
}

/** A root key is only ever made for a database that has none: for any other a new one would open nothing. */
function readKey(config: RootConfig, known: readonly RootRecord[]): Uint8Array {
  if (config.kind === 'given') return config.key;
  return known.length === 0 ? readOrCreateRootKey(config.path) : readRootKey(config.path, known);
}
