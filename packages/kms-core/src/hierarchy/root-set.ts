import { timingSafeEqual } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import type { AlertSink } from '../model/alert.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { MasterKeyWrap, RootRecord } from '../model/tenant.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import { NEWEST_FORMAT, type RecordFormat } from './record-formats.ts';
import { TenantMasterKey, wrapBinding } from './tenant-master-key.ts';

/** How a configured root was when it was used last. */
export interface RootStatus {
  readonly providerId: string;
  readonly kind: RootProvider['kind'];
  /** `away` does not answer; `refused` answers, but is not a root of this database. */
  readonly state: 'unused' | 'ready' | 'away' | 'refused';
}

/**
 * The configured roots, in the order in which they are tried. One that does not answer is skipped. Each time before it
 * is used, a provider is asked which root it has now: a token that was away may come back as a different one.
 */
export class RootSet {
  readonly providers: readonly RootProvider[];
  readonly #states = new Map<RootProvider, RootStatus['state']>();
  readonly #alert: AlertSink;

  constructor(providers: readonly RootProvider[], alert: AlertSink) {
    if (providers.length === 0) throw new RangeError('a key hierarchy has at least one root provider');
    this.providers = providers;
    this.#alert = alert;
  }

  status(): readonly RootStatus[] {
    return this.providers.map((provider) => ({
      providerId: provider.id,
      kind: provider.kind,
      state: this.#states.get(provider) ?? 'unused',
    }));
  }

  /**
   * The root that a provider has now.
   *
   * @throws KmsError `HSM_UNAVAILABLE` when it does not answer, `SEALED` naming the expected and the found check value
   * if it is not one of the roots in use.
   */
  async identify(provider: RootProvider, inUse: readonly RootRecord[]): Promise<RootRecord> {
    const expected = inUse.filter((root) => root.providerId === provider.id);
    const checkValue = await this.#presentCheckValue(provider, expected);
    if (expected.some((root) => root.checkValue === checkValue)) {
      this.#note(provider, 'ready');
      return { providerId: provider.id, checkValue };
    }
    const refusal = notOfThisDatabase(provider.id, checkValue, expected, inUse);
    this.#note(provider, 'refused', refusal);
    throw refusal;
  }

  /**
   * Wraps a master key under every root that answers, each wrap opened again before it counts.
   *
   * @throws KmsError `HSM_UNAVAILABLE` when none does.
   */
  async wrap(
    inUse: readonly RootRecord[],
    tenantId: TenantId,
    tmkVersion: number,
    key: Uint8Array,
    format: RecordFormat = 1,
  ): Promise<readonly MasterKeyWrap[]> {
    const wraps: MasterKeyWrap[] = [];
    let missing: unknown;
    for (const provider of this.providers) {
      try {
        wraps.push(await this.wrapUnder(provider, inUse, tenantId, tmkVersion, key, format));
      } catch (error) {
        if (!isMissing(error)) throw error;
        missing = error;
      }
    }
    if (wraps.length === 0) throw missing;
    return wraps;
  }

  /** Wraps a master key under one root. Throws like {@link identify}. */
  async wrapUnder(
    provider: RootProvider,
    inUse: readonly RootRecord[],
    tenantId: TenantId,
    tmkVersion: number,
    key: Uint8Array,
    format: RecordFormat = 1,
  ): Promise<MasterKeyWrap> {
    const { checkValue } = await this.identify(provider, inUse);
    const aad = wrapBinding(tenantId, tmkVersion, provider.id, format);
    const wrapped = await this.#watch(provider, () => provider.wrap(key, aad));
    const opened = await this.#watch(provider, () => provider.unwrap(wrapped, aad));
    try {
      if (opened.length !== key.length || !timingSafeEqual(opened, key))
        throw new KmsError('INTERNAL_ERROR', `The root ${provider.id} cannot open what it just wrapped.`);
    } finally {
      opened.fill(0);
    }
    return { tenantId, tmkVersion, providerId: provider.id, rootCheckValue: checkValue, format, wrapped };
  }

  /**
   * Opens one version of a master key under the first root that answers and has a sound wrap of it.
   *
   * @throws KmsError `HSM_UNAVAILABLE` when a root that wraps it does not answer and no other opens it; `INTERNAL_ERROR`
   *   when no configured root does.
   */
  async open(tenantId: TenantId, tmkVersion: number, wraps: readonly MasterKeyWrap[]): Promise<TenantMasterKey> {
    let unavailable: KmsError | undefined;
    let damaged: KmsError | undefined;
    for (const provider of this.providers) {
      const candidates = wraps.filter((wrap) => wrap.tmkVersion === tmkVersion && wrap.providerId === provider.id);
      if (candidates.length === 0) continue;
      try {
        const key = await this.#openUnder(provider, tenantId, tmkVersion, candidates);
        if (key !== undefined) return key;
      } catch (error) {
        if (!KmsError.is(error)) throw error;
        if (isMissing(error)) unavailable = error;
        else damaged = this.#damaged(provider, tenantId, tmkVersion, error);
      }
    }
    throw (
      damaged ??
      unavailable ??
      new KmsError('INTERNAL_ERROR', `No configured root has a wrap of the tenant master key version ${tmkVersion}.`)
    );
  }

  async #openUnder(
    provider: RootProvider,
    tenantId: TenantId,
    tmkVersion: number,
    candidates: readonly MasterKeyWrap[],
  ): Promise<TenantMasterKey | undefined> {
    const checkValue = await this.#checkValue(provider);
    const wrap = candidates.find((candidate) => candidate.rootCheckValue === checkValue);
    if (wrap === undefined) return undefined;
    const format = wrap.format === NEWEST_FORMAT ? NEWEST_FORMAT : 1;
    const bytes = await this.#watch(provider, () =>
      provider.unwrap(wrap.wrapped, wrapBinding(tenantId, tmkVersion, provider.id, format)),
    );
    try {
      this.#note(provider, 'ready');
      return new TenantMasterKey(tenantId, tmkVersion, bytes, format === NEWEST_FORMAT);
    } finally {
      bytes.fill(0);
    }
  }

  #damaged(provider: RootProvider, tenantId: TenantId, tmkVersion: number, cause: KmsError): KmsError {
    const message = `The tenant master key cannot be opened with the root ${provider.id}.`;
    this.#alert({
      kind: 'master-key-wrap-damaged',
      message: `${message} Tenant ${tenantId}, version ${tmkVersion}.`,
      cause,
    });
    return new KmsError('INTERNAL_ERROR', message, { cause });
  }

  async #presentCheckValue(provider: RootProvider, expected: readonly RootRecord[]): Promise<string> {
    try {
      return await this.#checkValue(provider);
    } catch (error) {
      if (!KmsError.is(error) || error.code !== 'SEALED' || expected.length === 0) throw error;
      const message = `${error.message} The database expects the root ${provider.id} with the check value ${checkValues(expected)}, but there is none.`;
      throw new KmsError('SEALED', message, { details: { providerId: provider.id }, cause: error });
    }
  }

  #checkValue(provider: RootProvider): Promise<string> {
    return this.#watch(provider, () => provider.checkValue());
  }

  /** Runs a call and notes whether the provider answers. */
  async #watch<T>(provider: RootProvider, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (isMissing(error)) this.#note(provider, error.code === 'SEALED' ? 'refused' : 'away', error);
      throw error;
    }
  }

  #note(provider: RootProvider, state: RootStatus['state'], cause?: KmsError): void {
    const before = this.#states.get(provider);
    this.#states.set(provider, state);
    if (before === state) return;
    if (state === 'away')
      this.#alert({ kind: 'root-away', message: `The root ${provider.id} does not answer and is not used.`, cause });
    if (state === 'refused')
      this.#alert({ kind: 'root-refused', message: cause?.message ?? `The root ${provider.id} is refused.` });
    if (state === 'ready' && before !== undefined)
      this.#alert({ kind: 'root-back', message: `The root ${provider.id} answers again and is the right one.` });
  }
}

/** Whether an error means that this one root cannot be used now, so that another may be tried. */
export function isMissing(error: unknown): error is KmsError {
  return KmsError.is(error) && (error.code === 'HSM_UNAVAILABLE' || error.code === 'SEALED');
}

function checkValues(roots: readonly RootRecord[]): string {
  return roots.map((root) => root.checkValue).join(' or ');
}

function notOfThisDatabase(
  providerId: string,
  found: string,
  expected: readonly RootRecord[],
  inUse: readonly RootRecord[],
): KmsError {
  const message =
    expected.length === 0
      ? `The root ${providerId} does not belong to this database (${inUse.map((root) => `${root.providerId} ${root.checkValue}`).join(', ')}); it has the check value ${found}. Add it as a provider first.`
      : `The root ${providerId} is the wrong one: the database expects the check value ${checkValues(expected)}, the configured root has ${found}. Configure the root that this database was created with; a new root cannot open its keys.`;
  return new KmsError('SEALED', message, { details: { providerId } });
}
