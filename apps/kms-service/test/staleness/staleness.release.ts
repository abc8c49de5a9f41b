import { countsInTime, isInEveryRun } from './each-trouble.ts';

countsInTime((trouble) => !isInEveryRun(trouble));
