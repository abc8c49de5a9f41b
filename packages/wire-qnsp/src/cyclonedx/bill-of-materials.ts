import { randomUUID } from 'node:crypto';
import { algorithmById, algorithmFacts, useOf } from '@qnsp/kms-core/internal';
import type { InventoryPage } from '@qnsp/kms-core/ports';
import type { DeploymentProtocol } from './deployment-protocol.ts';
import { algorithmComponent, algorithmRef, type SoftwareModule } from './algorithm-component.ts';
import type { CryptoAsset } from './crypto-asset.ts';
import { keyComponent } from './key-component.ts';
import { protocolComponents } from './protocol-components.ts';

/** What a bill of materials is of. */
export interface BilledDeployment {
  /** The version of the service. */
  readonly version: string;
  /** The tenant; `null` for the platform. */
  readonly tenantId: string | null;
  readonly timestamp: Date;
  readonly protocols: readonly DeploymentProtocol[];
  readonly module: SoftwareModule;
}

/**
 * The text of a CycloneDX 1.6 document, in pieces: the protocols of the deployment, then all keys, and each algorithm before the first key
 * that uses it, so that nothing has to be known but which algorithms came already.
 */
export async function* billOfMaterials(
  deployment: BilledDeployment,
  pages: AsyncIterable<InventoryPage>,
): AsyncGenerator<string, void, void> {
  const { protocols, module } = deployment;
  let text = `${headOf(deployment)},"components":[`;
  let isFirst = true;
  const add = (component: CryptoAsset) => {
    text += `${isFirst ? '' : ','}\n${JSON.stringify(component)}`;
    isFirst = false;
  };
  for (const [place, protocol] of protocols.entries())
    for (const each of protocolComponents(protocol, place)) add(each);
  const named = new Set<string>();
  let warnings = 0;
  for await (const page of pages) {
    for (const key of page.items)
      for (const version of key.versions) {
        const algorithm = algorithmById(version.algorithm);
        const use = useOf(algorithmFacts(algorithm), key.purpose);
        const ref = algorithmRef(algorithm, use, key.protectionLevel);
        if (!named.has(ref)) add(algorithmComponent(algorithm, use, key.protectionLevel, module));
        named.add(ref);
        add(keyComponent(key, version, algorithm, use));
      }
    warnings += page.warnings?.length ?? 0;
    yield text;
    text = '';
  }
  // Somebody who reads it has to know whether something is missing.
  const aggregate = warnings === 0 ? 'complete' : 'incomplete';
  yield `${text}\n],"compositions":[${JSON.stringify({ aggregate })}]}\n`;
}

function headOf({ version, tenantId, timestamp }: BilledDeployment): string {
  const subject = {
    type: 'application',
    'bom-ref': 'deployment',
    name: tenantId === null ? 'QNSP KMS' : `QNSP KMS, tenant ${tenantId}`,
    version,
  };
  const head = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${randomUUID()}`,
    version: 1,
    metadata: {
      timestamp: timestamp.toISOString(),
      tools: { components: [{ type: 'application', name: 'qnsp-kms', version }] },
      component: subject,
    },
  };
  return JSON.stringify(head).slice(0, -1);
}
