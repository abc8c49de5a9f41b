import { describeRows } from './migration-fixtures/describe-rows.ts';

describeRows('before a release');
