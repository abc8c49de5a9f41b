import type { AuditEvent, EvidenceStore, Store } from '../../src/exports/internal.ts';
import { over, withUnits } from './wrappers.ts';

interface StoreWithEvidence {
  readonly store: Store;
  readonly evidence: EvidenceStore;
}

/** Makes one fault of a sound store and its evidence. */
export type EvidenceMutant = (sound: StoreWithEvidence) => StoreWithEvidence;

const of =
  (change: (evidence: EvidenceStore) => Partial<EvidenceStore>): EvidenceMutant =>
  ({ store, evidence }) => ({ store, evidence: over(evidence, change(evidence)) });

/** Evidence stores that break one promise each, by what they do. */
export const EVIDENCE_MUTANTS: Readonly<Record<string, EvidenceMutant>> = {
  'keeps no event of a unit of work': ({ store, evidence }) => ({
    store: withUnits(store, (unit) => ({ evidence: over(unit.evidence, { append: async () => undefined }) })),
    evidence,
  }),
  'keeps the events of a unit of work that fails': ({ store, evidence }) => {
    const transact: Store['transact'] = async (scope, work) => {
      const events: AuditEvent[] = [];
      try {
        return await store.transact(scope, (unit) =>
          work({ ...unit, evidence: over(unit.evidence, { append: async (added) => void events.push(...added) }) }),
        );
      } finally {
        await evidence.append(events);
      }
    };
    return { store: over(store, { transact }), evidence };
  },
  "takes another tenant's event": ({ store, evidence }) => ({
    store: withUnits(store, (unit) => ({
      evidence: over(unit.evidence, { append: (events) => unit.evidence.append(events).catch(() => undefined) }),
    })),
    evidence,
  }),
  'keeps no event': of(() => ({ append: async () => undefined })),
  'keeps every event twice': of((evidence) => ({ append: (events) => evidence.append([...events, ...events]) })),
  'keeps events in no order': of((evidence) => ({ append: (events) => evidence.append(events.toReversed()) })),
  'leaves a probe': of((evidence) => ({
    requireWritable: async () => {
      const tenantId = crypto.randomUUID();
      const probe = {
        eventId: tenantId,
        eventType: 'kms.random',
        timestamp: new Date().toISOString(),
        tenantId,
      } as const;
      await evidence.append([
        {
          ...probe,
          actor: { type: 'system', id: 'probe' },
          resource: { type: 'service', id: null, version: null },
          action: 'probe',
          result: 'success',
          context: { requestId: null, userAgent: null, source: 'service', ip: null },
          request: { contextKeys: [] },
        },
      ]);
    },
  })),
  'counts unsealed events without a limit': of((evidence) => ({ backlog: () => evidence.backlog(1_000_000_000) })),
  'counts no undelivered events': of((evidence) => ({
    backlog: async (limit) => ({ ...(await evidence.backlog(limit)), undelivered: 0 }),
  })),
  'counts no refused batches': of((evidence) => ({
    backlog: async (limit) => ({ ...(await evidence.backlog(limit)), refused: 0 }),
  })),
  'counts no failed attempts': of((evidence) => ({
    backlog: async (limit) => ({ ...(await evidence.backlog(limit)), attempts: 0 }),
  })),
  'counts by tenant only what is sealed': of((evidence) => ({ backlogByTenant: () => evidence.backlogByTenant(0) })),
  'names only tenants with unsealed events': of((evidence) => ({ tenants: () => evidence.unsealedTenants() })),
  'names tenants as unsealed whose events are sealed': of((evidence) => ({
    unsealedTenants: () => evidence.tenants(),
  })),
  'knows the types of all events but the newest': of((evidence) => ({
    newestType: async (tenantId, types) => (await evidence.newestType(tenantId, types)) && types[0],
  })),
  'seals more than was asked for': of((evidence) => ({
    extendChain: (tenantId, _, make) => evidence.extendChain(tenantId, 1000, make),
  })),
  'seals a batch that does not continue the chain': of((evidence) => ({
    extendChain: (tenantId, limit, make) =>
      evidence.extendChain(tenantId, limit, async (head, events) => {
        const batch = await make(head, events);
        return { ...batch, head: { ...batch.head, sequence: head.sequence + batch.events.length } };
      }),
  })),
  'swallows the error of a batch': of((evidence) => ({
    extendChain: (...args) => evidence.extendChain(...args).catch(() => 0),
  })),
  'begins every chain from nothing': of((evidence) => ({
    extendChain: (tenantId, limit, make) =>
      evidence.extendChain(tenantId, limit, (head, events) => make({ ...head, checkpoint: null, last: null }, events)),
  })),
  'gives a batch to everybody': of((evidence) => {
    const given = new Map<string, Awaited<ReturnType<EvidenceStore['claimDelivery']>>>();
    return {
      claimDelivery: async (owner, seconds) => {
        const delivery = (await evidence.claimDelivery(owner, seconds)) ?? [...given.values()].at(-1);
        if (delivery !== undefined) given.set(delivery.checkpoint.checkpointId, delivery);
        return delivery;
      },
      endDelivery: async (owner, delivery, outcome) => {
        given.delete(delivery.checkpoint.checkpointId);
        await evidence.endDelivery(owner, delivery, outcome);
      },
    };
  }),
  'leases a batch for ever': of((evidence) => ({ claimDelivery: (owner) => evidence.claimDelivery(owner, 1_000_000) })),
  'renews no lease': of(() => ({ renewDelivery: async () => undefined })),
  'lets anybody end a delivery': of((evidence) => {
    let owner = '';
    return {
      claimDelivery: async (next, seconds) => {
        const delivery = await evidence.claimDelivery(next, seconds);
        if (delivery !== undefined) owner = next;
        return delivery;
      },
      endDelivery: (_, delivery, outcome) => evidence.endDelivery(owner, delivery, outcome),
    };
  }),
  'lets anybody renew a lease': of((evidence) => {
    let owner = '';
    return {
      claimDelivery: async (next, seconds) => {
        const delivery = await evidence.claimDelivery(next, seconds);
        if (delivery !== undefined) owner = next;
        return delivery;
      },
      renewDelivery: (_, delivery, seconds) => evidence.renewDelivery(owner, delivery, seconds),
    };
  }),
  'gives a postponed batch again at once': of((evidence) => ({
    endDelivery: (owner, delivery, outcome) =>
      evidence.endDelivery(owner, delivery, outcome.kind === 'postponed' ? { kind: 'postponed', seconds: 0 } : outcome),
  })),
  'counts no attempts of a delivery': of((evidence) => ({
    claimDelivery: async (...args) => {
      const delivery = await evidence.claimDelivery(...args);
      return delivery && { ...delivery, attempts: 0 };
    },
  })),
  'takes a refused batch for a delivered one': of((evidence) => ({
    endDelivery: (owner, delivery, outcome) =>
      evidence.endDelivery(owner, delivery, outcome.kind === 'refused' ? { kind: 'delivered' } : outcome),
  })),
  'lists the oldest events first': of((evidence) => ({
    events: async (...args) => {
      const page = await evidence.events(...args);
      return { ...page, items: page.items.toReversed() };
    },
  })),
  'never says that there are more events': of((evidence) => ({
    events: async (...args) => ({ ...(await evidence.events(...args)), more: false }),
  })),
  'finds events that end a time as well': of((evidence) => ({
    events: (tenantId, { to, ...query }) =>
      evidence.events(tenantId, to === undefined ? query : { ...query, to: new Date(to.getTime() + 1) }),
  })),
  'takes the id of any resource for one of a key': of((evidence) => ({
    events: async (tenantId, { keyId, ...query }) => {
      const page = await evidence.events(tenantId, query);
      return keyId === undefined
        ? page
        : { ...page, items: page.items.filter(({ event }) => event.resource.id === keyId) };
    },
  })),
  'knows the batch of another tenant': ({ store, evidence }) => ({
    store,
    evidence: over(evidence, {
      batchOf: async (_, eventId) => {
        const batches = await Promise.all((await evidence.tenants()).map((each) => evidence.batchOf(each, eventId)));
        return batches.find((batch) => batch !== undefined);
      },
    }),
  }),
  'lists the oldest checkpoints first': of((evidence) => ({
    checkpoints: async (...args) => (await evidence.checkpoints(...args)).toReversed(),
  })),
  'shows checkpoints from the newest one each time': of((evidence) => ({
    checkpoints: (tenantId, limit) => evidence.checkpoints(tenantId, limit, null),
  })),
  'shows batches from the first one each time': of((evidence) => ({
    batchesAfter: (tenantId, _, limit) => evidence.batchesAfter(tenantId, 0, limit),
  })),
  'retires nothing': of(() => ({ retire: async () => 0 })),
  'retires more than was asked for': of((evidence) => ({ retire: (before) => evidence.retire(before, 1000) })),
  'retires everything that was delivered': of((evidence) => ({
    retire: (_, limit) => evidence.retire(new Date('2999-01-01'), limit),
  })),
  'retires checkpoints as well': of((evidence) => ({
    batchesAfter: async (...args) => (await evidence.batchesAfter(...args)).filter(({ events }) => events.length > 0),
  })),
};
