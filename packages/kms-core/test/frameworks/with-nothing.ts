import { brokenRules } from '../../src/testing/index.ts';
import { contractOfArguments } from './stores.ts';

const contract = contractOfArguments();
const broken = await brokenRules(contract);
const lines = [
  ...broken.map(({ name, error }) => `broken: ${name}: ${String(error)}`),
  `pass ${contract.cases.length - broken.length}`,
  `fail ${broken.length}`,
];
process.stdout.write(`${lines.join('\n')}\n`);
if (broken.length > 0) process.exitCode = 1;
