import { isInEveryRun, probesSayWhatCallsDo } from './probe-conditions.ts';

probesSayWhatCallsDo((condition) => !isInEveryRun(condition));
