import type { ResponseOf } from '@qnsp/kms-contract';
import { nothingAtPath } from './nothing-at-path.ts';

/** What the routes about the service itself answer from. */
export interface ServiceFacts {
  /** Of the service, which the interface and the evidence in CEF name. */
  readonly version: string;
  health(): Promise<ResponseOf<'getHealth'>>;
  liveness(): ResponseOf<'getLiveness'>;
  /** The metrics in the text format of Prometheus. */
  metrics(): Promise<string>;
}

/** The version alone, where the routes about the service itself are not served. */
export type OfferedFacts = ServiceFacts | Pick<ServiceFacts, 'version'>;

/** What the routes about the service itself answer from. Throws `NOT_FOUND` where they are not served. */
export function servedFacts(facts: OfferedFacts): ServiceFacts {
  if ('health' in facts) return facts;
  throw nothingAtPath();
}
