import { exportInventory, getInventory } from '@qnsp/kms-core/internal';
import { type Caller, SYSTEM_TENANT } from '@qnsp/kms-core';
import { billOfMaterials } from '../cyclonedx/bill-of-materials.ts';
import type { DeploymentProtocol } from '../cyclonedx/deployment-protocol.ts';
import type { Handlers } from './handler.ts';
import type { OfferedFacts } from './service-facts.ts';
import { TextStream } from './text-stream.ts';

export const inventoryHandlers = {
  getInventory: async ({ facts, op, request }) => {
    const page = await getInventory(op, request.query);
    const protocols = await protocolsFor(facts, op.caller);
    return protocols.length === 0 ? page : { ...page, protocols };
  },

  exportInventory: async ({ facts, op }) => {
    const { kms, caller } = op;
    const deployment = {
      version: facts.version,
      tenantId: caller.tenantId === SYSTEM_TENANT ? null : caller.tenantId,
      timestamp: new Date(kms.clock()),
      protocols: await protocolsFor(facts, caller),
      module: { isFipsProvider: kms.settings.requireFips },
    };
    return new TextStream(billOfMaterials(deployment, await exportInventory(op)));
  },
} satisfies Partial<Handlers>;

/** What is behind the service is not for its tenants. */
async function protocolsFor(facts: OfferedFacts, { tenantId }: Caller): Promise<readonly DeploymentProtocol[]> {
  if (!('protocols' in facts) || facts.protocols === undefined) return [];
  return facts.protocols(tenantId === SYSTEM_TENANT ? 'everything' : 'api');
}
