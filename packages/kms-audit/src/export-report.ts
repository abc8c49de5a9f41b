import type { Checkpoint, EvidenceEpoch, SigningKeyPeriod } from '@qnsp/kms-core/ports';

/** Where an export is not what was signed. */
export interface BadLine {
  /** From 1. */
  readonly line: number;
  /** The first event that is not as it was; `null` where the line names none. */
  readonly eventId: string | null;
  readonly sequence: number | null;
  readonly reason: string;
}

/** Events of batches that follow one another. */
export interface BatchRange {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly batches: number;
}

/** An epoch that begins within an export: the database was restored. */
export interface EpochReport extends EvidenceEpoch {
  /** It continues after this event of an earlier epoch. */
  readonly after: number;
  /**
   * What the previous epoch has beyond that in this export, `null` if nothing. The restored service does not have it.
   */
  readonly abandoned: { readonly firstSequence: number; readonly lastSequence: number } | null;
}

/** What the verification of an export found. */
export interface ExportReport {
  readonly verified: boolean;
  readonly tenantId: string | null;
  /** Events that were verified. */
  readonly events: number;
  readonly checkpoints: number;
  /** Events that retention removed; their signed checkpoints are present. */
  readonly retired: number;
  /**
   * Those that come after a complete batch. Retention goes from the oldest to the newest and keeps only what the audit
   * service refused: the reader should ask whether that explains them.
   */
  readonly retiredAfterKept: readonly BatchRange[];
  /** Events that are missing. */
  readonly gaps: number;
  /** Whether something other than the export proves that its end is complete. */
  readonly endProven: boolean;
  /** Up to which event the given checkpoint shows that nothing is missing; `null` without one. */
  readonly provenUpTo: number | null;
  /** The last checkpoint of the export whose signature is valid. */
  readonly last: Checkpoint | null;
  /** The epochs that begin in it, oldest first. */
  readonly epochs: readonly EpochReport[];
  /** The keys that signed it, and from which event. */
  readonly keys: readonly SigningKeyPeriod[];
  /** What people should know about checkpoints of the first format, which cannot rule it out. */
  readonly notes: readonly string[];
  readonly firstBad: BadLine | null;
  /** What is wrong, the first places of it. A line that is wrong does not keep the others from being checked. */
  readonly bad: readonly BadLine[];
  /** In how many places something is wrong. */
  readonly badPlaces: number;
}

const PLACES_NAMED = 10;
const RANGES_NAMED = 10;

/** A report in words; the first line says it all. */
export function wordsOf(report: ExportReport): readonly string[] {
  const { verified, events, gaps, checkpoints, retired, retiredAfterKept, tenantId, bad, badPlaces } = report;
  if (!verified) {
    const [first = '', ...others] = bad.slice(0, PLACES_NAMED).map(wordsOfPlace);
    return [
      `NOT verified: ${first}`,
      ...others.map((place) => `also ${place}`),
      ...(badPlaces > PLACES_NAMED ? [`and ${badPlaces - PLACES_NAMED} more places`] : []),
      `${events} events in ${checkpoints} batches are as signed`,
    ];
  }
  return [
    `verified, ${events} events, ${gaps} gaps`,
    `tenant ${tenantId}, ${checkpoints} batches`,
    ...(retired === 0 ? [] : [`${retired} events were removed by retention; their signed checkpoints are present`]),
    ...wordsOnKept(retiredAfterKept),
    ...report.epochs.map(wordsOnEpoch),
    ...wordsOnKeys(report.keys),
    ...report.notes,
    wordsOnEnd(report),
  ];
}

function wordsOfPlace({ line, sequence, eventId, reason }: BadLine): string {
  const event = sequence === null ? '' : ` (event ${sequence}, ${eventId ?? 'id unknown'})`;
  return `line ${line}${event}: ${reason}`;
}

function wordsOnEnd({ endProven, provenUpTo, last }: ExportReport): string {
  if (endProven) return 'the end is proven: it matches what was given separately from the export';
  if (provenUpTo === null)
    return 'the end is NOT proven: give a checkpoint obtained elsewhere, or the number of events';
  return (
    `the end is NOT proven: the given checkpoint covers the events up to ${provenUpTo}, and the export ` +
    `continues to event ${last?.lastSequence}; give a later one`
  );
}

function wordsOnEpoch({ since, dataAsOf, after, abandoned }: EpochReport): string {
  const lost =
    abandoned === null
      ? 'what was sealed between these times, if anything, is not in this export'
      : `events ${abandoned.firstSequence} to ${abandoned.lastSequence} of the previous epoch exist only in this export and no longer in the service`;
  return `the database was restored: from ${since} on the chain continues after event ${after}, with data from ${dataAsOf}; ${lost}`;
}

function wordsOnKeys(keys: ExportReport['keys']): readonly string[] {
  if (keys.length < 2) return [];
  const named = keys
    .slice(0, RANGES_NAMED)
    .map(({ keyId, firstSequence }) => `${keyId} from event ${firstSequence} on`);
  return [`signed by ${keys.length} keys, one after another: ${named.join(', ')}`];
}

/** Removed batches after kept ones: one line, however many there are. */
function wordsOnKept(ranges: ExportReport['retiredAfterKept']): readonly string[] {
  if (ranges.length === 0) return [];
  const batches = ranges.reduce((sum, range) => sum + range.batches, 0);
  const named = ranges
    .slice(0, RANGES_NAMED)
    .map(({ firstSequence, lastSequence }) => `${firstSequence} to ${lastSequence}`);
  const others = ranges.length - named.length;
  return [
    `${batches} batches after kept ones were removed: events ${named.join(', ')}${others > 0 ? ` and ${others} more ranges` : ''}`,
  ];
}
