import type { Edge } from '@qnsp/http-edge';
import type { ResponseOf } from '@qnsp/kms-contract';
import type { EvidenceStore } from '@qnsp/kms-core';

/** What the routes about the service itself answer from. */
export interface ServiceFacts {
  readonly version: string;
  /** Absent when no evidence is kept. */
  readonly evidence?: EvidenceStore | undefined;
  health(): Promise<ResponseOf<'getHealth'>>;
  liveness(): ResponseOf<'getLiveness'>;
  /** The metrics in the text format of Prometheus. */
  metrics(): Promise<string>;
}

/** What this interface works with. */
export interface QnspParts {
  readonly edge: Edge;
  readonly facts: ServiceFacts;
}
