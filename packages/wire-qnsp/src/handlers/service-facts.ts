import type { ResponseOf } from '@qnsp/kms-contract';

/** What the routes about the service itself answer from. */
export interface ServiceFacts {
  readonly version: string;
  health(): Promise<ResponseOf<'getHealth'>>;
  liveness(): ResponseOf<'getLiveness'>;
  /** The metrics in the text format of Prometheus. */
  metrics(): Promise<string>;
}
