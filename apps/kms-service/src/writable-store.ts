import { KmsError } from '@qnsp/kms-core';
import type { EvidenceStore } from '@qnsp/kms-core/ports';

/** Probes may be asked by many, and each write that is tried costs the database one. */
const VALID_MS = 1000;

/**
 * Why the store accepts no writes at the moment, `undefined` if it accepts them; tried again at most once a second,
 * when asked.
 */
export function writableStore(evidence: Pick<EvidenceStore, 'requireWritable'>): () => Promise<string | undefined> {
  let held: { readonly until: number; readonly answer: Promise<string | undefined> } | undefined;
  return () => {
    if (held === undefined || performance.now() > held.until)
      held = { until: performance.now() + VALID_MS, answer: tryToWrite(evidence) };
    return held.answer;
  };
}

async function tryToWrite(evidence: Pick<EvidenceStore, 'requireWritable'>): Promise<string | undefined> {
  try {
    await evidence.requireWritable();
    return undefined;
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    return error.message;
  }
}
