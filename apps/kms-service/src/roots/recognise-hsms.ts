import { type Hsm, type HsmConfig, HsmConfigurationError } from '@qnsp/hsm-pkcs11';
import { KmsError } from '@qnsp/kms-core';
import type { RootRecord } from '@qnsp/kms-core/ports';

/** One entry of the configuration, with the HSM that it leads to now. */
export interface OpenedHsm {
  readonly variable: string;
  readonly config: HsmConfig & { readonly id: string };
  readonly hsm: Hsm;
}

/**
 * Gives each HSM the name under which the database knows its root. An entry's place in the list, and an index of slots, say
 * only where to look: tokens come and go, and entries without ids are moved. What a token is says the check value of its root.
 *
 * An HSM whose root the database does not know, or that is away, gets a name that is left.
 *
 * @param reopen opens an entry under another name
 */
export async function recogniseHsms(
  opened: readonly OpenedHsm[],
  known: readonly RootRecord[],
  reopen: (entry: OpenedHsm, id: string) => Promise<OpenedHsm>,
): Promise<readonly OpenedHsm[]> {
  const names = new Map<OpenedHsm, string>();
  const isFree = (id: string) => ![...names.values()].includes(id);
  for (const entry of opened) {
    const checkValue = await checkValueOf(entry.hsm);
    const root = known.find((each) => each.checkValue === checkValue && isFree(each.providerId));
    if (root !== undefined) names.set(entry, root.providerId);
  }
  const ownNames = opened.map(({ config }) => config.id);
  for (const entry of opened.filter((each) => !names.has(each))) {
    const isAway = !entry.hsm.status().connected;
    const left = [entry.config.id, ...(isAway ? known.map(({ providerId }) => providerId) : []), ...ownNames];
    names.set(entry, left.filter((id) => id !== 'software').find(isFree) ?? entry.config.id);
  }
  const recognised: OpenedHsm[] = [];
  for (const entry of opened) {
    const name = names.get(entry) ?? entry.config.id;
    recognised.push(name === entry.config.id ? entry : await reopen(entry, name));
  }
  return recognised;
}

/** `undefined` where it has none that can be used now; why not is said when it is compared with the database. */
async function checkValueOf(hsm: Hsm): Promise<string | undefined> {
  if (!hsm.status().connected) return undefined;
  try {
    return await hsm.root.checkValue();
  } catch (error) {
    if (error instanceof HsmConfigurationError || KmsError.is(error)) return undefined;
    throw error;
  }
}
