import { randomBytes } from 'node:crypto';
import type { MaybePromise } from '../base/maybe-promise.ts';
import { checkId } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import type { AlertSink } from '../model/alert.ts';
import { TRUST_MS } from '../ports/change-feed.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { MasterKeyWrap, RootRecord, TenantRecord } from '../model/tenant.ts';
import type { ChangeFeed } from '../ports/change-feed.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import type { Store, UnitOfWork } from '../ports/store.ts';
import { MasterKeyChain } from './master-key-chain.ts';
import { fieldOf, TENANT_RETIRED_MASTER_KEYS } from '../model/record-fields.ts';
import { NEWEST_FORMAT, RECORD_FORMATS, type RecordFormats } from './record-formats.ts';
import { openRetired } from './retired-master-key.ts';
import { RootSet } from './root-set.ts';
import { TenantAuthority } from './tenant-authority.ts';
import { TMK_BYTES } from './tenant-master-key.ts';

export interface KeyHierarchyOptions {
  /** Where master keys come from; default: the operating system's generator. */
  readonly random?: (bytes: number) => MaybePromise<Uint8Array>;
  /** Is told when a root stops answering, answers again or is refused. */
  readonly alert?: AlertSink;
  /**
   * Tells whether this node would know if another node shredded a tenant. While it would not, the wraps of a tenant's
   * master key are read again for each use. Without it, the owner of the hierarchy must call {@link KeyHierarchy.forget}
   * after each shred.
   */
  readonly feed?: Pick<ChangeFeed, 'provenAt'>;
  /** What this node does about formats of records; the newest one is written without it. */
  readonly formats?: RecordFormats;
}

/** How often work is done under master keys that turn out not to be the newest. */
const ATTEMPTS = 3;
/** How many versions of its master key a tenant has at most: each has to be opened before anything of the tenant is. */
const MOST_VERSIONS = 4;

/** The master keys of a tenant, and the wraps that they were opened from. */
interface HeldChain {
  readonly wraps: Promise<readonly MasterKeyWrap[]>;
  readonly chain: Promise<MasterKeyChain>;
  /** The number of gaps that the change feed had had when the wraps were last known to match the stored ones. */
  confirmedAfter: number;
}

/** A master key that is wrapped under the roots in use, but not stored yet. */
export interface PreparedMasterKey {
  /**
   * Stores it, in the unit of work of the system that makes the tenant.
   *
   * @throws KmsError `CONFLICT` when other roots are in use since it was wrapped.
   */
  store(unit: UnitOfWork): Promise<void>;
}

/**
 * The keys between the roots and the key versions: makes, wraps, finds and holds tenant master keys.
 *
 * Each master key is wrapped under the root of every provider, so that any one living root opens it.
 */
export class KeyHierarchy {
  readonly roots: RootSet;
  readonly #store: Store;
  readonly #random: (bytes: number) => MaybePromise<Uint8Array>;
  readonly #feed: Pick<ChangeFeed, 'provenAt'> | undefined;
  readonly #formats: RecordFormats;
  readonly #chains = new Map<TenantId, HeldChain>();
  #gaps = 0;

  constructor(store: Store, roots: readonly RootProvider[], options: KeyHierarchyOptions = {}) {
    this.roots = new RootSet(roots, options.alert ?? (() => undefined));
    this.#store = store;
    this.#random = options.random ?? randomBytes;
    this.#feed = options.feed;
    this.#formats = options.formats ?? RECORD_FORMATS;
  }

  /** The name of the provider that new software key versions are sealed under. */
  get providerId(): string {
    return this.roots.providers[0]?.id ?? '';
  }

  /**
   * Makes the first master key of a tenant that is about to be made, before the unit of work that makes it: a unit must
   * not stay open for as long as an HSM takes.
   *
   * @param toBe the roots, if they are to be added in that same unit; default: those in use
   */
  async prepareMasterKey(tenantId: TenantId, toBe?: readonly RootRecord[]): Promise<PreparedMasterKey> {
    const inUse = toBe ?? (await this.#store.transact({ kind: 'system' }, (unit) => unit.tenants.roots()));
    const wraps = await this.#wrapNew(inUse, tenantId);
    return {
      store: async (unit) => {
        if (!sameRoots(inUse, await unit.tenants.roots()))
          throw new KmsError('CONFLICT', 'The roots changed at the same moment. Try again.');
        await unit.tenants.addMasterKeyWraps(wraps);
      },
    };
  }

  /**
   * Makes the next version of a tenant's master key, before the unit of work that stores it, as {@link prepareMasterKey} does.
   *
   * @throws KmsError `NOT_FOUND` when the tenant has none, as after a crypto-shred; `CONFLICT` when it has as many versions as it may
   *   until they are re-sealed.
   */
  async prepareNextMasterKey(tenantId: TenantId): Promise<PreparedMasterKey & { readonly version: number }> {
    const [inUse, before] = await this.#store.transact({ kind: 'system' }, async (unit) => [
      await unit.tenants.roots(),
      await unit.tenants.masterKeyWraps(tenantId),
    ]);
    const versions = new Set(before.map(({ tmkVersion }) => tmkVersion));
    if (versions.size === 0) throw new KmsError('NOT_FOUND', 'The tenant has no master key.');
    if (versions.size >= MOST_VERSIONS)
      throw new KmsError(
        'CONFLICT',
        `The tenant has ${versions.size} versions of its master key. Rotate again when what is under the earlier ones is sealed again.`,
      );
    const version = Math.max(...versions) + 1;
    const bytes = await this.#random(TMK_BYTES);
    try {
      const wraps = await this.roots.wrap(inUse, tenantId, version, bytes, NEWEST_FORMAT);
      return {
        version,
        store: async (unit) => {
          if (!sameRoots(inUse, await unit.tenants.roots()))
            throw new KmsError('CONFLICT', 'The roots changed at the same moment. Try again.');
          // Another node rotated, destroyed a version, or wrapped one under another root.
          const now = await unit.tenants.masterKeyWraps(tenantId);
          if (now.some(({ tmkVersion }) => tmkVersion >= version))
            throw new KmsError('CONFLICT', 'The master key was rotated at the same moment.');
          if (now.length === 0) throw new KmsError('CONFLICT', 'The tenant was shredded.');
          await unit.tenants.addMasterKeyWraps(wraps);
        },
      };
    } finally {
      bytes.fill(0);
    }
  }

  async #wrapNew(inUse: readonly RootRecord[], tenantId: TenantId): Promise<readonly MasterKeyWrap[]> {
    const bytes = await this.#random(TMK_BYTES);
    try {
      // The record of the service's own tenant says nothing that anybody acts on, and is there before its master key.
      const format = tenantId === SYSTEM_TENANT ? 1 : this.#formats.written;
      return await this.roots.wrap(inUse, tenantId, 1, bytes, format);
    } finally {
      bytes.fill(0);
    }
  }

  /**
   * The master keys of a tenant. Call it before a unit of work begins, never inside one: it reads the store.
   *
   * @throws KmsError `NOT_FOUND` when the tenant has none, as after a crypto-shred; `HSM_UNAVAILABLE` when no root that
   *   wraps them answers.
   */
  masterKeys(tenantId: TenantId): Promise<MasterKeyChain> {
    const held = this.#chains.get(tenantId);
    if (held === undefined) {
      // Checked only here: what is held in memory was found under a valid id.
      checkId('tenantId', tenantId);
      return this.#hold(tenantId, this.#read(tenantId), this.#gaps).chain;
    }
    // The service itself is never shredded.
    if (tenantId === SYSTEM_TENANT || (held.confirmedAfter === this.#gaps && this.#isTrusted())) return held.chain;
    return this.#confirm(tenantId, held);
  }

  /**
   * Does work under the master keys of a tenant, such as a unit of work. Once more from its beginning if it throws a `NewerMasterKey`, as
   * where it meets a version that another node made in the meantime. Throws what `masterKeys` and the work do.
   *
   * @param work is told whether there is certainly no newer version: what names one was then written by somebody else
   */
  async under<T>(tenantId: TenantId, work: (chain: MasterKeyChain, isNewest: boolean) => Promise<T>): Promise<T> {
    let isNewest = false;
    for (let attempt = 1; ; attempt += 1) {
      const chain = await this.masterKeys(tenantId);
      try {
        return await work(chain, isNewest);
      } catch (error) {
        if (!NewerMasterKey.is(error) || isNewest || attempt === ATTEMPTS) throw error;
        isNewest = !(await this.areOutdated(tenantId, chain));
      }
    }
  }

  /** Whether the master keys that are stored now are others than these; from then on those are held. */
  async areOutdated(tenantId: TenantId, chain: MasterKeyChain): Promise<boolean> {
    const held = this.#chains.get(tenantId);
    if (held === undefined || (await held.chain) !== chain) return true;
    return (await this.#confirm(tenantId, held)) !== chain;
  }

  /** Makes sure that the master keys of a tenant were opened, which may take a root's time. Throws as `masterKeys` does. */
  async warm(tenantId: TenantId): Promise<void> {
    await (this.#chains.get(tenantId)?.chain ?? this.masterKeys(tenantId));
  }

  /** Drops a tenant's master keys from memory. */
  forget(tenantId: TenantId): void {
    this.#chains.delete(tenantId);
  }

  /**
   * To be called when any tenant may have been shredded: the wraps of each tenant are compared with the stored ones before
   * its master keys are used again. Only wraps that changed need a root, so roots may be unreachable meanwhile, and are not
   * flooded with requests.
   */
  doubtTenants(): void {
    this.#gaps += 1;
    // What cannot be compared now is compared before its next use.
    this.#dropShredded(this.#gaps).catch(() => undefined);
  }

  /** Goes through the tenants: the master keys of one that was shredded must not stay in memory just because nobody uses them. */
  async #dropShredded(gaps: number): Promise<void> {
    for (const [tenantId, held] of this.#chains) {
      if (tenantId === SYSTEM_TENANT || held.confirmedAfter === gaps) continue;
      const stored = await this.#read(tenantId);
      const same = sameWraps(await held.wraps, stored);
      if (this.#gaps !== gaps) return;
      if (this.#chains.get(tenantId) !== held) continue;
      if (same) held.confirmedAfter = gaps;
      else this.forget(tenantId);
    }
  }

  #isTrusted(): boolean {
    return this.#feed === undefined || performance.now() - this.#feed.provenAt() <= TRUST_MS;
  }

  /** The master keys as they are stored now; unwrapped again only when their wraps are not those that are held. */
  async #confirm(tenantId: TenantId, held: HeldChain): Promise<MasterKeyChain> {
    const gaps = this.#gaps;
    const stored = await this.#read(tenantId);
    const same = sameWraps(await held.wraps, stored);
    // Somebody dropped them during this read, which may have seen the state from before the reason for that.
    if (this.#chains.get(tenantId) !== held) return this.masterKeys(tenantId);
    if (!same) return this.#hold(tenantId, Promise.resolve(stored), gaps).chain;
    held.confirmedAfter = Math.max(held.confirmedAfter, gaps);
    return held.chain;
  }

  #hold(tenantId: TenantId, wraps: HeldChain['wraps'], confirmedAfter: number): HeldChain {
    const held = { wraps, chain: wraps.then((read) => this.#open(tenantId, read)), confirmedAfter };
    this.#chains.set(tenantId, held);
    held.chain.catch(() => {
      if (this.#chains.get(tenantId) === held) this.forget(tenantId);
    });
    return held;
  }

  #read(tenantId: TenantId): Promise<readonly MasterKeyWrap[]> {
    const scope = tenantId === SYSTEM_TENANT ? ({ kind: 'system' } as const) : ({ kind: 'tenant', tenantId } as const);
    return this.#store.transact(scope, (unit) => unit.tenants.masterKeyWraps(tenantId));
  }

  async #open(tenantId: TenantId, wraps: readonly MasterKeyWrap[]): Promise<MasterKeyChain> {
    const versions = [...new Set(wraps.map((wrap) => wrap.tmkVersion))].sort((a, b) => a - b);
    const keys = await Promise.all(versions.map((version) => this.roots.open(tenantId, version, wraps)));
    const [first, ...rest] = keys;
    if (first === undefined) throw new KmsError('NOT_FOUND', 'The tenant has no master key.');
    const chain = new MasterKeyChain([first, ...rest], this.#formats);
    if (!keys.some((key) => key.tenantHasMac)) return chain;
    const { fields } = await this.#authentic(tenantId);
    // One that is sealed under a version that is missing here is of a rotation that was stored after the wraps were read.
    const retired = (fieldOf(fields, TENANT_RETIRED_MASTER_KEYS) ?? []).flatMap(
      (stored) => openRetired(chain, stored) ?? [],
    );
    return retired.length === 0 ? chain : new MasterKeyChain([first, ...rest], this.#formats, retired);
  }

  /** The record of a tenant. Throws `INTERNAL_ERROR` when it lacks its MAC or is not what it was signed as. */
  async #authentic(tenantId: TenantId): Promise<TenantRecord> {
    const authority = new TenantAuthority(await this.masterKeys(SYSTEM_TENANT));
    const tenant = await this.#store.transact({ kind: 'tenant', tenantId }, (unit) => unit.tenants.get(tenantId));
    if (tenant === undefined) throw new KmsError('INTERNAL_ERROR', 'The tenant has a master key, but no record.');
    authority.verify(tenant, false);
    return tenant;
  }
}

/** Whether two readings, both in the order of the store, are the same. */
function sameWraps(a: readonly MasterKeyWrap[], b: readonly MasterKeyWrap[]): boolean {
  return (
    a.length === b.length &&
    a.every((wrap, index) => {
      const other = b[index];
      return other?.tmkVersion === wrap.tmkVersion && Buffer.compare(other.wrapped, wrap.wrapped) === 0;
    })
  );
}

function sameRoots(a: readonly RootRecord[], b: readonly RootRecord[]): boolean {
  const isIn = (roots: readonly RootRecord[]) => (root: RootRecord) =>
    roots.some(({ providerId, checkValue }) => providerId === root.providerId && checkValue === root.checkValue);
  return a.length === b.length && a.every(isIn(b));
}
