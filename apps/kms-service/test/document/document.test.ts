import { fuzzDocument } from './fuzz-document.ts';

fuzzDocument({ requests: 5, seed: 1, limitMs: 30_000 });
