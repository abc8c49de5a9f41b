import type { EvidenceReport } from '@qnsp/kms-audit';
import type { EvidenceEpoch } from '@qnsp/kms-core/ports';

/** What /health says of evidence. */
interface EvidenceCheck {
  readonly status: 'ok' | 'degraded';
  readonly message: string;
}

/** What this node knows of sealing and delivery, as people should hear of it. */
export class EvidenceState {
  #epoch: EvidenceEpoch | null = null;
  #refused = 0;
  #superseded: string | undefined;

  begin(epoch: EvidenceEpoch | null): void {
    this.#epoch = epoch;
  }

  observe(report: EvidenceReport): void {
    if (report.kind === 'backlog') this.#refused = report.backlog.refused;
    else if (report.kind === 'superseded') this.#superseded = report.keyId;
  }

  check(): EvidenceCheck {
    const where =
      this.#epoch === null
        ? 'each chain has one epoch'
        : `since ${this.#epoch.since} the chains continue in a new epoch, from data of ${this.#epoch.dataAsOf}: the database was restored`;
    const wrong = [
      ...(this.#refused > 0 ? [`the audit service permanently refused ${this.#refused} batches`] : []),
      ...(this.#superseded === undefined
        ? []
        : [`this node seals with the key ${this.#superseded}, from which another one has taken over`]),
    ];
    return { status: wrong.length === 0 ? 'ok' : 'degraded', message: [...wrong, where].join('; ') };
  }
}
