import { sameAnswers } from './same-answers.ts';

// The names of the tests have the seed: SOCKET_FUZZ_SEED repeats a run.
const seed = Number(process.env['SOCKET_FUZZ_SEED'] ?? Math.floor(Date.now() / 1000) % 1_000_000);
const limitMs = (Number(process.env['SOCKET_FUZZ_MINUTES'] ?? 30) * 60_000) / 2;

sameAnswers({ seed, secure: false, runs: 10_000_000, limitMs });
sameAnswers({ seed, secure: true, runs: 10_000_000, limitMs });
