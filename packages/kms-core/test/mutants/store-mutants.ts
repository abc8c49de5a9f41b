import { identityOfToken } from '../../src/access/api-token.ts';
import { checkKey, type KeyRecord, KmsError, newId, type Store, type UnitOfWork } from '../../src/exports/internal.ts';
import { fieldOf, TOKEN_IDENTITY, TOKEN_PARENT } from '../../src/model/record-fields.ts';
import { SYSTEM } from '../../src/testing/index.ts';
import { answering, over, splitAfter, without, withUnits } from './wrappers.ts';

/** Makes one fault of a sound store. */
export type StoreMutant = (sound: Store) => Store;

const keysOf =
  (change: (keys: UnitOfWork['keys'], unit: UnitOfWork) => Partial<UnitOfWork['keys']>): StoreMutant =>
  (sound) =>
    withUnits(sound, (unit) => ({ keys: over(unit.keys, change(unit.keys, unit)) }));
const tenantsOf =
  (change: (tenants: UnitOfWork['tenants'], unit: UnitOfWork) => Partial<UnitOfWork['tenants']>): StoreMutant =>
  (sound) =>
    withUnits(sound, (unit) => ({ tenants: over(unit.tenants, change(unit.tenants, unit)) }));
const tokensOf =
  (change: (tokens: UnitOfWork['tokens'], unit: UnitOfWork) => Partial<UnitOfWork['tokens']>): StoreMutant =>
  (sound) =>
    withUnits(sound, (unit) => ({ tokens: over(unit.tokens, change(unit.tokens, unit)) }));
const identitiesOf =
  (change: (identities: UnitOfWork['identities']) => Partial<UnitOfWork['identities']>): StoreMutant =>
  (sound) =>
    withUnits(sound, (unit) => ({ identities: over(unit.identities, change(unit.identities)) }));
const answersOf =
  (change: (idempotency: UnitOfWork['idempotency']) => Partial<UnitOfWork['idempotency']>): StoreMutant =>
  (sound) =>
    withUnits(sound, (unit) => ({ idempotency: over(unit.idempotency, change(unit.idempotency)) }));
const claimsOf =
  (change: (residents: UnitOfWork['residents']) => Partial<UnitOfWork['residents']>): StoreMutant =>
  (sound) =>
    withUnits(sound, (unit) => ({ residents: over(unit.residents, change(unit.residents)) }));

const migrationsOf =
  (change: (migrations: UnitOfWork['migrations']) => Partial<UnitOfWork['migrations']>): StoreMutant =>
  (sound) =>
    withUnits(sound, (unit) => ({ migrations: over(unit.migrations, change(unit.migrations)) }));

const isLocked = (args: readonly unknown[]): boolean => JSON.stringify(args).includes('"lock":true');
const unlocked =
  (name: string, when: (args: readonly unknown[]) => boolean = () => true): StoreMutant =>
  (sound) =>
    splitAfter(sound, (call, args) => call === name && when(args));

const UNITS: Readonly<Record<string, StoreMutant>> = {
  'swallows the error of a unit': (sound) => {
    const transact: Store['transact'] = (scope, work) =>
      sound.transact(scope, work).catch((): never => undefined as never);
    return over(sound, { transact });
  },
  'throws an error of its own in place of that of the work': (sound) => {
    const transact: Store['transact'] = (scope, work) =>
      sound.transact(scope, work).catch((error: unknown) => {
        throw Object.assign(new Error('it did not work'), { ...(error as object) });
      });
    return over(sound, { transact });
  },
  'commits every call on its own': (sound) => splitAfter(sound, () => true),
  'commits when the work fails': (sound) => {
    const transact: Store['transact'] = async (scope, work) => {
      let failed: { readonly error: unknown } | undefined;
      const answer = await sound.transact(scope, async (unit) =>
        work(unit).catch((error: unknown) => {
          failed = { error };
        }),
      );
      if (failed !== undefined) throw failed.error;
      return answer as never;
    };
    return over(sound, { transact });
  },
  'answers before the commit': (sound) => {
    const transact: Store['transact'] = async (scope, work) => {
      const answer = Promise.withResolvers<never>();
      const run = sound.transact(scope, async (unit) => {
        answer.resolve((await work(unit)) as never);
        await new Promise((resolve) => setTimeout(resolve, 5));
      });
      run.catch(answer.reject);
      return answer.promise;
    };
    return over(sound, { transact });
  },
  'runs the work twice': (sound) => {
    const transact: Store['transact'] = async (scope, work) => {
      await sound.transact(scope, work).catch(() => undefined);
      return sound.transact(scope, work);
    };
    return over(sound, { transact });
  },
  'lets a unit be used after it ended': (sound) => {
    const transact: Store['transact'] = (scope, work) => {
      let ended = false;
      const late = { list: async () => ({ items: [], more: false }), insert: async () => undefined };
      const or = <T extends object>(records: T): T =>
        new Proxy(records, {
          get: (_, name) => {
            const member: unknown = Reflect.get(ended ? late : records, name);
            return typeof member === 'function' ? (member.bind(records) as unknown) : member;
          },
        });
      return sound
        .transact(scope, (unit) => work({ ...unit, keys: or(unit.keys), tokens: or(unit.tokens) }))
        .finally(() => {
          ended = true;
        });
    };
    return over(sound, { transact });
  },
  'gives a unit up after a CONFLICT': (sound) => {
    const transact: Store['transact'] = (scope, work) =>
      sound.transact(scope, async (unit) => {
        let conflict: KmsError | undefined;
        const insert: UnitOfWork['keys']['insert'] = async (key) => {
          if (conflict !== undefined) throw conflict;
          await unit.keys.insert(key).catch((error: unknown) => {
            if (KmsError.is(error)) conflict = error;
            throw error;
          });
        };
        return work({ ...unit, keys: over(unit.keys, { insert }) });
      });
    return over(sound, { transact });
  },
  'commits a unit in which a record was refused': (sound) =>
    withUnits(sound, ({ keys }) => ({
      keys: over(keys, {
        insert: async (key) => {
          checkKey(key);
          await keys.insert(key);
        },
      }),
    })),
  'has a clock that goes back': (sound) => {
    let units = 0;
    return withUnits(sound, ({ now }) => ({ now: new Date(now.getTime() - (units += 1) * 1000) }));
  },
  'has a clock that goes on during a unit': (sound) => {
    const transact: Store['transact'] = (scope, work) =>
      sound.transact(scope, (unit) => {
        let reads = 0;
        return work(
          Object.defineProperty({ ...unit }, 'now', { get: () => new Date(unit.now.getTime() + (reads += 1)) }),
        );
      });
    return over(sound, { transact });
  },
  'runs the units of a tenant in the scope of the system': (sound) => {
    const transact: Store['transact'] = (_, work) => sound.transact(SYSTEM, work);
    return over(sound, { transact });
  },
};

const RECORDS: Readonly<Record<string, StoreMutant>> = {
  'loses the milliseconds of instants': (sound) =>
    answering(sound, (part) => (part instanceof Date ? new Date(Math.floor(part.getTime() / 1000) * 1000) : part)),
  'gives instants as text': (sound) => answering(sound, (part) => (part instanceof Date ? part.toISOString() : part)),
  'gives bytes as text': (sound) =>
    answering(sound, (part) => (part instanceof Uint8Array ? Buffer.from(part).toString('base64') : part)),
  'loses fields that it does not know': (sound) =>
    answering(sound, (part) =>
      part !== null && typeof part === 'object' && 'fields' in part ? { ...part, fields: {} } : part,
    ),
  'takes a member named __proto__ for a prototype': (sound) =>
    answering(sound, (part) =>
      typeof part === 'object' &&
      part !== null &&
      Object.getPrototypeOf(part) === Object.prototype &&
      Object.hasOwn(part, '__proto__')
        ? Object.assign({}, part)
        : part,
    ),
  'keeps numbers of 32 bits': (sound) =>
    answering(sound, (part) => (typeof part === 'number' && Number.isInteger(part) ? part | 0 : part)),
  'takes an empty text for nothing': (sound) => answering(sound, (part) => (part === '' ? null : part)),
  'takes nothing for an empty text': (sound) =>
    answering(sound, (part) =>
      part !== null && typeof part === 'object' && 'name' in part && part.name === null ? { ...part, name: '' } : part,
    ),
  'hands out what it keeps': (sound) => {
    const kept = new Map<string, KeyRecord>();
    return over(sound, {
      readKey: async (tenantId, keyId) => {
        const key = await sound.readKey(tenantId, keyId);
        if (key === undefined) return undefined;
        const name = `${keyId}:${key.revision}`;
        kept.set(name, kept.get(name) ?? key);
        return kept.get(name);
      },
    });
  },
  'keeps what it was given': (sound) => {
    const given = new Map<string, KeyRecord>();
    const units = withUnits(sound, ({ keys }) => ({
      keys: over(keys, {
        insert: async (key) => {
          await keys.insert(key);
          given.set(`${key.keyId}:${key.revision}`, key);
        },
      }),
    }));
    return over(units, {
      readKey: async (tenantId, keyId) => {
        const key = await sound.readKey(tenantId, keyId);
        return key && (given.get(`${keyId}:${key.revision}`) ?? key);
      },
    });
  },
};

const KEYS: Readonly<Record<string, StoreMutant>> = {
  'reads a key as it first was': (sound) => {
    const first = new Map<string, KeyRecord | undefined>();
    return over(sound, {
      readKey: async (tenantId, keyId) => {
        const key = await sound.readKey(tenantId, keyId);
        if (key !== undefined && !first.has(keyId)) first.set(keyId, key);
        return key && first.get(keyId);
      },
    });
  },
  "shows another tenant's key": (sound) =>
    over(sound, { readKey: (_, keyId) => sound.transact(SYSTEM, (unit) => unit.keys.get(keyId)) }),
  'adds a key over another of its id': keysOf((keys) => ({
    insert: (key) =>
      keys.insert(key).catch(async (error: unknown) => {
        const old = await keys.get(key.keyId);
        if (old === undefined) throw error;
      }),
  })),
  'answers what was seen of a key, whatever is stored': keysOf((keys) => ({
    get: async (keyId, options) => {
      const stored = await keys.get(keyId, options);
      return stored && (options?.seen ?? stored);
    },
  })),
  'takes what was seen of a key for what is stored by its revision': keysOf((keys) => ({
    get: async (keyId, options) => {
      const stored = await keys.get(keyId, options);
      return options?.seen?.revision === stored?.revision ? options?.seen : stored;
    },
  })),
  'does not compare the revision': keysOf((keys) => ({
    update: async (key) => {
      const current = await keys.get(key.keyId);
      await keys.update({ ...key, revision: (current?.revision ?? 0) + 1 }, current?.revision ?? 0);
    },
  })),
  'drops a change that it refuses without a word': keysOf((keys) => ({
    update: (key, revision) => keys.update(key, revision).catch(() => undefined),
  })),
  'drops a key that it refuses without a word': keysOf((keys) => ({
    insert: (key) => keys.insert(key).catch(() => undefined),
  })),
  'keeps the material of a destroyed version': (sound) => {
    const material = new Map<string, KeyRecord['versions'][number]['material']>();
    return over(sound, {
      readKey: async (tenantId, keyId) => {
        const key = await sound.readKey(tenantId, keyId);
        if (key === undefined) return undefined;
        const versions = key.versions.map((version) => {
          const name = `${keyId}:${version.version}`;
          if (version.material.kind === 'none') return { ...version, material: material.get(name) ?? version.material };
          material.set(name, version.material);
          return version;
        });
        return { ...key, versions };
      },
    });
  },
  'leaves the first key of a further page out': keysOf((keys) => ({
    list: async (query) => {
      const page = await keys.list(query);
      return query.after === null ? page : { ...page, items: page.items.slice(1) };
    },
  })),
  'repeats the last key of a page in the next one': keysOf((keys) => ({
    list: async (query) => {
      const { after } = query;
      const again = after === null ? null : { ...after, createdAt: new Date(after.createdAt.getTime() + 1) };
      return keys.list({ ...query, after: again });
    },
  })),
  'leaves keys of the same millisecond out at the end of a page': keysOf((keys) => ({
    list: async (query) => {
      const { after } = query;
      return keys.list({
        ...query,
        after: after === null ? null : { ...after, keyId: '00000000-0000-0000-0000-000000000000' },
      });
    },
  })),
  'says that there are more keys whenever a page is full': keysOf((keys) => ({
    list: async (query) => {
      const page = await keys.list(query);
      return { ...page, more: page.items.length === query.limit };
    },
  })),
  'never says that there are more keys': keysOf((keys) => ({
    list: async (query) => ({ ...(await keys.list(query)), more: false }),
  })),
  'lists the oldest key first': keysOf((keys) => ({
    list: async (query) => {
      const page = await keys.list(query);
      return { ...page, items: page.items.toReversed() };
    },
  })),
  'forgets one filter of a list': keysOf((keys) => ({
    list: (query) => keys.list(without(query, 'purpose')),
  })),
  'takes the name of a filter for a pattern': keysOf((keys) => ({
    list: ({ name, ...query }) => keys.list(name === '%' || name === undefined ? query : { ...query, name }),
  })),
  'counts every state as active': keysOf((keys) => ({
    count: async () => {
      const counts = await keys.count();
      return { ...counts, byState: { active: Object.values(counts.byState).reduce((sum, each) => sum + each, 0) } };
    },
  })),
  'does not add up operations': keysOf((keys) => ({
    addOperations: async (count) => {
      const before = await keys.addOperations(0);
      return before + count;
    },
  })),
  'answers the operations that were added, not those of the month': keysOf((keys) => ({
    addOperations: async (count) => {
      await keys.addOperations(count);
      return count;
    },
  })),
  'knows no children of keys': keysOf(() => ({ children: async () => [] })),
  'hands out a budget twice': keysOf((keys) => ({
    leaseOperations: async (lease) =>
      Math.min((await keys.leaseOperations({ ...lease, count: 0 })) + lease.count, lease.budget),
  })),
  'counts a budget of all versions together': keysOf((keys) => ({
    leaseOperations: (lease) => keys.leaseOperations({ ...lease, version: 0 }),
  })),
  'tells what was taken from the budgets of one key alone': keysOf((keys) => ({
    leasedOperations: (keyIds) => keys.leasedOperations(keyIds.slice(0, 1)),
  })),
  'shows due keys without an order': keysOf((keys) => ({
    lockDue: async (...args) => (await keys.lockDue(...args)).toReversed(),
  })),
  'shows due keys from the beginning each time': keysOf((keys) => ({
    lockDue: (due, limit) => keys.lockDue(due, limit),
  })),
  'shows more due keys than were asked for': keysOf((keys) => ({
    lockDue: (due, limit, ...after) => keys.lockDue(due, limit + 1, ...after),
  })),
  'does not sort scheduled rotations': keysOf((keys) => ({
    scheduledRotations: async (...args) => (await keys.scheduledRotations(...args)).toReversed(),
  })),
  'shows scheduled rotations of all times': keysOf((keys) => ({
    scheduledRotations: (limit) => keys.scheduledRotations(limit, null),
  })),
};

const LOCKS: Readonly<Record<string, StoreMutant>> = {
  'locks no key': unlocked('keys.get', isLocked),
  'locks no due keys': unlocked('keys.lockDue'),
  'locks no roots': (sound) => splitAfter(sound, (call) => call === 'tenants.lockRoots' || call === 'tenants.roots'),
  'locks no tenant': unlocked('tenants.get', isLocked),
  'locks no token': unlocked('tokens.get', isLocked),
  'locks no live tokens': unlocked('tokens.list', (args) => JSON.stringify(args).includes('"lockLive":true')),
  'locks no expired tokens': unlocked('tokens.lockExpired'),
  'locks no idempotency key': unlocked('idempotency.claim'),
};

const TENANTS: Readonly<Record<string, StoreMutant>> = {
  'keeps the wraps of a shredded tenant': (sound) => {
    const wraps = new Map<string, Awaited<ReturnType<UnitOfWork['tenants']['masterKeyWraps']>>>();
    return tenantsOf((tenants) => ({
      shred: async (tenant) => {
        wraps.set(tenant.tenantId, await tenants.masterKeyWraps(tenant.tenantId));
        await tenants.shred(tenant);
      },
      masterKeyWraps: async (tenantId) => wraps.get(tenantId) ?? tenants.masterKeyWraps(tenantId),
    }))(sound);
  },
  'says that a tenant is shredded, and shreds nothing': tenantsOf(() => ({ shred: async () => undefined })),
  'adds a tenant over another of its id': tenantsOf((tenants) => ({
    insert: (tenant) => tenants.insert(tenant).catch(() => undefined),
  })),
  'does not store the MAC of a tenant that it binds': tenantsOf((tenants) => ({
    bind: (tenant, wraps) => tenants.bind({ ...tenant, mac: null }, wraps),
  })),
  'keeps the old wraps of a tenant that it binds': tenantsOf((tenants) => ({
    bind: async (tenant, wraps) => {
      const old = await tenants.masterKeyWraps(tenant.tenantId);
      const names = new Set(wraps.map(({ tmkVersion }) => tmkVersion));
      await tenants.bind(tenant, [...wraps, ...old.filter(({ tmkVersion }) => !names.has(tmkVersion))]);
    },
  })),
  'has the wraps of a master key in no order': tenantsOf((tenants) => ({
    masterKeyWraps: async (tenantId) => (await tenants.masterKeyWraps(tenantId)).toReversed(),
  })),
  'adds a root that is in use again': tenantsOf((tenants) => ({
    addRoot: (root) => tenants.addRoot(root).catch(() => undefined),
  })),
  'retires no root': tenantsOf((tenants) => ({
    removeRoot: async (root) => {
      if ((await tenants.roots()).length === 0) await tenants.removeRoot(root);
    },
  })),
  'lacks no master key': tenantsOf(() => ({ masterKeysLacking: async () => [] })),
  'counts no wraps': tenantsOf((tenants) => ({
    countMasterKeys: async () => {
      const { total, byRoot } = await tenants.countMasterKeys();
      return { total, byRoot: byRoot.map((root) => ({ ...root, wraps: 0 })) };
    },
  })),
};

const TOKENS: Readonly<Record<string, StoreMutant>> = {
  'finds a token after it was removed': (sound) => {
    const seen = new Map<string, Awaited<ReturnType<Store['findToken']>>>();
    const units = tokensOf((tokens) => ({
      insert: async (token) => {
        await tokens.insert(token);
        if (token.expiresAt !== null) seen.set(Buffer.from(token.hash).toString('hex'), token);
      },
    }))(sound);
    return over(units, {
      findToken: async (hash) => (await sound.findToken(hash)) ?? seen.get(Buffer.from(hash).toString('hex')),
    });
  },
  'finds a token by the beginning of its hash': (sound) => {
    const hashes: Uint8Array[] = [];
    const units = tokensOf((tokens) => ({
      insert: async (token) => {
        await tokens.insert(token);
        hashes.push(Uint8Array.from(token.hash));
      },
    }))(sound);
    return over(units, {
      findToken: (hash) =>
        sound.findToken(
          hashes.find((known) => Buffer.compare(known.subarray(0, 16), hash.subarray(0, 16)) === 0) ?? hash,
        ),
    });
  },
  'revokes no token': tokensOf(() => ({ revoke: async () => undefined })),
  'revokes those tokens that it can': tokensOf((tokens) => ({
    revoke: async (...revoked) => {
      const outcomes = [];
      for (const token of revoked) outcomes.push(await tokens.revoke(token).catch((error: unknown) => ({ error })));
      const failed = outcomes.find((outcome) => outcome !== undefined);
      if (failed !== undefined && revoked.length === 1) throw failed.error;
    },
  })),
  'adds a token over another of its hash': tokensOf((tokens) => ({
    insert: (token) => tokens.insert(token).catch(() => undefined),
  })),
  'leaves tokens of the same millisecond out at the end of a page': tokensOf((tokens) => ({
    list: (query) =>
      tokens.list(
        query.after ? { ...query, after: { ...query.after, tokenId: '00000000-0000-0000-0000-000000000000' } } : query,
      ),
  })),
  'never says that there are more tokens': tokensOf((tokens) => ({
    list: async (query) => ({ ...(await tokens.list(query)), more: false }),
  })),
  'shows expired tokens without an order': tokensOf((tokens) => ({
    lockExpired: async (...args) => (await tokens.lockExpired(...args)).toReversed(),
  })),
  'removes tokens that expired later': tokensOf((tokens, { now }) => ({ remove: (ids) => tokens.remove(ids, now) })),
  'removes no token': tokensOf(() => ({ remove: async () => undefined })),
  'removes no binding of an identity': identitiesOf(() => ({ remove: async () => undefined })),
  'removes a binding that is there no longer': identitiesOf((identities) => ({
    remove: (binding) => identities.remove(binding).catch(() => undefined),
  })),
  'finds bindings of identities without a limit': identitiesOf((identities) => ({
    find: (names) => identities.find(names, 1000),
  })),
  'finds no removed binding': identitiesOf(() => ({ findRemoved: async () => [] })),
  'finds removed bindings without a limit': identitiesOf((identities) => ({
    findRemoved: (query) => identities.findRemoved({ ...query, limit: 1000 }),
  })),
  'finds removed bindings of all times': identitiesOf((identities) => ({
    findRemoved: (query) => identities.findRemoved({ ...query, removedAfter: new Date(0) }),
  })),
  'finds all removed bindings of a tenant': identitiesOf((identities) => ({
    findRemoved: (query) => identities.findRemoved({ ...query, ofTenant: 1000 }),
  })),
  'keeps any number of removed bindings': identitiesOf((identities) => ({
    insert: (binding, { atMost } = {}) => identities.insert(binding, { atMost }),
  })),
  'finds bindings that were not removed among those that were': identitiesOf((identities) => ({
    findRemoved: async (query) => [
      ...(await identities.findRemoved(query)),
      ...(await identities.find({ bindings: query.names, denials: [] }, query.limit)).bindings,
    ],
  })),
  'finds no denial of an identity': identitiesOf((identities) => ({
    find: async (...args) => ({ ...(await identities.find(...args)), denials: [] }),
  })),
  'takes the names of bindings for those of denials': identitiesOf((identities) => ({
    find: ({ bindings }, limit) => identities.find({ bindings, denials: bindings.slice(1) }, limit),
  })),
  'writes denials again with their MACs': (sound) =>
    withUnits(sound, ({ seals, identities }) => ({
      seals: over(seals, {
        resealIdentities: async (found) => {
          await seals.resealIdentities(found);
          for (const denial of found.denials) await identities.liftDenial(denial);
        },
      }),
    })),
  'keeps denials of identities that have ended': identitiesOf(() => ({ removeEndedDenials: async () => undefined })),
  'never says that there are more bindings of identities': identitiesOf((identities) => ({
    list: async (query) => ({ ...(await identities.list(query)), more: false }),
  })),
  'adds a denial of an identity over another one': identitiesOf((identities) => ({
    insertDenial: (denial) => identities.insertDenial(denial).catch(() => undefined),
  })),
  'shows a lineage the oldest first': tokensOf((tokens) => ({
    lockLineage: async (...args) => (await tokens.lockLineage(...args)).toReversed(),
  })),
  'takes what ended by itself for a live token of a lineage': tokensOf((tokens) => ({
    lockLineage: async (identity, limit) => {
      const live = await tokens.lockLineage(identity, limit);
      const { items } = await tokens.list({ limit: 200, lockLive: true });
      const ids = new Set([identity, ...live.map(identityOfToken)]);
      return items
        .filter((token) => ids.has(identityOfToken(token)) || ids.has(fieldOf(token.fields, TOKEN_PARENT) ?? ''))
        .slice(0, limit);
    },
  })),
  'follows what a record says of another identity': tokensOf((tokens) => ({
    lockLineage: async (identity, limit) => {
      const live = await tokens.lockLineage(identity, limit);
      const { items } = await tokens.list({ limit: 200 });
      const named = items
        .filter((token) => fieldOf(token.fields, TOKEN_PARENT) === identity)
        .map((token) => identityOfToken(token));
      const more = items.filter((token) => token.revokedAt === null && named.includes(token.tokenId));
      return [...live, ...more.filter(({ tokenId }) => live.every((token) => token.tokenId !== tokenId))].slice(
        0,
        limit,
      );
    },
  })),
  'fails for a strange record in a lineage': tokensOf((tokens) => ({
    lockLineage: async (identity, limit) => {
      const { items } = await tokens.list({ limit: 200 });
      if (items.some((token) => fieldOf(token.fields, TOKEN_IDENTITY) === 'x')) throw new Error('no UUID');
      return tokens.lockLineage(identity, limit);
    },
  })),
  'lists revoked tokens among the live ones': tokensOf((tokens) => ({
    list: (query) => tokens.list(without(query, 'lockLive')),
  })),
};

const OTHERS: Readonly<Record<string, StoreMutant>> = {
  'lets an idempotency key be claimed twice': (sound) =>
    withUnits(sound, ({ idempotency }) => ({
      idempotency: over(idempotency, {
        claim: async (key, fingerprint, room) => {
          const earlier = await idempotency.claim(key, fingerprint, room);
          return earlier && undefined;
        },
        complete: (key, answer, seconds) => idempotency.complete(key, answer, seconds).catch(() => undefined),
      }),
    })),
  'keeps answers for milliseconds': (sound) =>
    withUnits(sound, ({ idempotency }) => ({
      idempotency: over(idempotency, {
        complete: (key, answer, seconds) => idempotency.complete(key, answer, seconds / 1000),
      }),
    })),
  'keeps the fingerprint of the last call': (sound) =>
    withUnits(sound, ({ idempotency }) => ({
      idempotency: over(idempotency, {
        claim: async (key, fingerprint, room) => {
          const earlier = await idempotency.claim(key, fingerprint, room);
          return earlier && { ...earlier, fingerprint };
        },
      }),
    })),
  'takes names of idempotency keys in any case': (sound) =>
    withUnits(sound, ({ idempotency }) => ({
      idempotency: over(idempotency, {
        claim: (key, fingerprint, room) => idempotency.claim(key.toLowerCase(), fingerprint, room),
        complete: (key, answer, seconds) => idempotency.complete(key.toLowerCase(), answer, seconds),
      }),
    })),
  'keeps any number of answers': answersOf((idempotency) => ({
    claim: (key, fingerprint) => idempotency.claim(key, fingerprint),
  })),
  'keeps one answer more than there is room for': answersOf((idempotency) => ({
    claim: (key, fingerprint, { atMost } = {}) =>
      idempotency.claim(key, fingerprint, atMost === undefined ? {} : { atMost: atMost + 1 }),
  })),
  'tells nothing again where there is no room': answersOf((idempotency) => ({
    claim: async (key, fingerprint, room) => {
      await idempotency.claim(newId(), fingerprint, room);
      return idempotency.claim(key, fingerprint, room);
    },
  })),
  'says that there is room for an answer in a second': answersOf((idempotency) => ({
    claim: (...args) =>
      idempotency.claim(...args).catch((error: unknown) => {
        if (!KmsError.is(error) || error.details === undefined) throw error;
        throw new KmsError(error.code, error.message, { details: error.details, retryAfterSeconds: 1 });
      }),
  })),
  'claims a resident key twice': claimsOf((residents) => ({
    claim: (claim) =>
      residents.claim(claim).catch(() => ({ ...claim, claimedAt: new Date(), mark: 'claimed once more' })),
  })),
  'releases a later claim of the same name': (sound) => {
    const latest = new Map<string, Awaited<ReturnType<UnitOfWork['residents']['claim']>>>();
    return claimsOf((residents) => ({
      claim: async (wanted) => {
        const claim = await residents.claim(wanted);
        latest.set(wanted.name.keyId, claim);
        return claim;
      },
      renew: async (claim) => {
        const renewed = await residents.renew(claim);
        if (renewed !== undefined) latest.set(claim.name.keyId, renewed);
        return renewed;
      },
      release: (claim) => {
        const later = latest.get(claim.name.keyId);
        return residents.release(later?.providerId === claim.providerId ? later : claim);
      },
    }))(sound);
  },
  'claims at a time of its own': claimsOf((residents) => ({
    claim: async (claim) => ({ ...(await residents.claim(claim)), claimedAt: new Date(Date.now() + 60_000) }),
  })),
  'keeps claims that were released': claimsOf(() => ({ release: async () => true })),
  'renews what is gone': claimsOf((residents) => ({
    renew: async (claim) => (await residents.renew(claim)) ?? claim,
  })),
  'shows resident versions of shredded tenants': (sound) => {
    const all = new Map<string, Awaited<ReturnType<UnitOfWork['residents']['versions']>>[number]>();
    return withUnits(sound, ({ keys, residents }) => ({
      keys: over(keys, {
        insert: async (key) => {
          await keys.insert(key);
          for (const { version, state, material, provider } of key.versions)
            if (material.kind === 'resident')
              all.set(`${provider} ${key.keyId} ${version}`, {
                name: { tenantId: key.tenantId, keyId: key.keyId, version },
                handle: material.handle,
                state,
              });
        },
      }),
      residents: over(residents, {
        versions: async (providerId) =>
          [...all].filter(([name]) => name.startsWith(`${providerId} `)).map(([, version]) => version),
      }),
    }));
  },
};

const MIGRATIONS: Readonly<Record<string, StoreMutant>> = {
  'changes a migration that has ended': migrationsOf((migrations) => ({
    update: (migration) => migrations.update(migration).catch(() => undefined),
  })),
  'lets several migrations of a tenant run': migrationsOf((migrations) => ({
    insert: (migration) => migrations.insert(migration).catch(() => undefined),
  })),
  'forgets the progress of a migration': migrationsOf((migrations) => ({
    get: async (migrationId, options) => {
      const found = await migrations.get(migrationId, options);
      return found && { ...found, progress: { ...found.progress, examined: 0 } };
    },
  })),
  'hands out migrations that were passed over': migrationsOf((migrations) => ({
    lockDue: (limit) => migrations.lockDue(limit, []),
  })),
  'hands out more migrations than were asked for': migrationsOf((migrations) => ({
    lockDue: (_limit, except) => migrations.lockDue(1000, except),
  })),
  'hands out the migrations that are due last first': migrationsOf((migrations) => ({
    lockDue: async (limit, except) => (await migrations.lockDue(limit, except)).toReversed(),
  })),
  'keeps every migration that has ended': migrationsOf(() => ({ removeEnded: async () => undefined })),
  'keeps one migration fewer': migrationsOf((migrations) => ({ removeEnded: () => migrations.removeEnded(0) })),
  'lists migrations without an end': migrationsOf((migrations) => ({
    list: async (query) => ({ ...(await migrations.list(query)), more: true }),
  })),
};

/** Stores that break one promise each, by what they do. */
export const STORE_MUTANTS: Readonly<Record<string, StoreMutant>> = {
  ...UNITS,
  ...RECORDS,
  ...KEYS,
  ...LOCKS,
  ...TENANTS,
  ...TOKENS,
  ...OTHERS,
  ...MIGRATIONS,
};
