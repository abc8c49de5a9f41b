import { fuzzDocument } from './fuzz-document.ts';

const HOUR_MS = 60 * 60_000;

// The names of the tests have the seed: DOCUMENT_SEED repeats a run.
fuzzDocument({
  requests: Number(process.env['DOCUMENT_REQUESTS'] ?? 400),
  seed: Number(process.env['DOCUMENT_SEED'] ?? Date.now() % 1_000_000),
  limitMs: HOUR_MS,
});
