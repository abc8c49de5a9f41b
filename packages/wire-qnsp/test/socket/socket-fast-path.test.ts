import { sameAnswers } from './same-answers.ts';

sameAnswers({ seed: 1, secure: false, runs: 250, limitMs: 60_000 });
sameAnswers({ seed: 2, secure: true, runs: 60, limitMs: 60_000 });
