// node src/main.ts checks that the adapters hold what the ports ask for, without any test framework.
import { brokenRules } from '@qnsp/kms-core/testing';
import { CONTRACTS } from './contracts.ts';

for (const contract of CONTRACTS) {
  const broken = await brokenRules(contract);
  for (const { name, error } of broken) process.stderr.write(`${contract.name} breaks "${name}": ${String(error)}\n`);
  process.stdout.write(`${contract.name}: ${contract.cases.length - broken.length} of ${contract.cases.length} hold\n`);
  if (broken.length > 0) process.exitCode = 1;
}
