import { countsInTime, isInEveryRun } from './each-trouble.ts';

countsInTime(isInEveryRun);
