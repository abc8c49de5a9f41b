import { isInEveryRun, probesSayWhatCallsDo } from './probe-conditions.ts';

probesSayWhatCallsDo(isInEveryRun);
