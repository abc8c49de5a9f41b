import type { ResponseOf } from '@qnsp/kms-contract';
import type { DeploymentProtocol } from '../cyclonedx/deployment-protocol.ts';
import { nothingAtPath } from './nothing-at-path.ts';

/** What the routes about the service itself answer from. */
export interface ServiceFacts {
  /** Of the service, which the interface and the evidence in CEF name. */
  readonly version: string;
  health(): Promise<ResponseOf<'getHealth'>>;
  liveness(): ResponseOf<'getLiveness'>;
  /** The metrics in the text format of Prometheus. */
  metrics(): Promise<string>;
  /**
   * The protocols of the deployment, for its inventory; default: they are not known.
   *
   * @param reach what clients speak alone, or what is behind the service as well, which is not for its tenants
   */
  protocols?(reach: 'api' | 'everything'): Promise<readonly DeploymentProtocol[]>;
}

/** The version alone, where the routes about the service itself are not served. */
export type OfferedFacts = ServiceFacts | Pick<ServiceFacts, 'version'>;

/** What the routes about the service itself answer from. Throws `NOT_FOUND` where they are not served. */
export function servedFacts(facts: OfferedFacts): ServiceFacts {
  if ('health' in facts) return facts;
  throw nothingAtPath();
}
