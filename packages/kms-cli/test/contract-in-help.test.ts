import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS, ROUTES } from '@qnsp/kms-contract';
import type { Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { makeProgram } from '../src/run.ts';

const program = makeProgram({ environment: {}, out: () => undefined, err: () => undefined });

function optionOf(group: string, command: string, long: string): Option {
  const found = program.commands
    .find((each) => each.name() === group)
    ?.commands.find((each) => each.name() === command)
    ?.options.find((each) => each.long === long);
  if (found === undefined) throw new Error(`kms ${group} ${command} has no ${long}`);
  return found;
}

describe('what the command line says of the contract', () => {
  test('the default waiting period of a destruction is the one of the service, in the help and in the guide', () => {
    const days = LIMITS.pendingWindowDays.default;
    expect(optionOf('keys', 'destroy', '--days').description).toContain(`(default: ${days})`);
    const guide = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'guide.md'), 'utf8');
    expect([...guide.matchAll(/Destruction waits (\d+) days/g)].map(([, told]) => Number(told))).toEqual([days]);
  });

  test('the choices of an option are those of the field that it becomes', () => {
    expect(optionOf('keys', 'revoke', '--reason').argChoices).toEqual(ROUTES.revokeKey.body.shape.reason.options);
    expect(optionOf('keys', 'list', '--state').argChoices).toEqual(ROUTES.listKeys.query.shape.state.unwrap().options);
  });
});
