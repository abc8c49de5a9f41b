import { readdirSync, readFileSync } from 'node:fs';
import { findFipsProvider } from '@qnsp/test-harness';

/** What makes a service run in FIPS mode, with the provider of the tests. */
export async function fipsEnvironment(): Promise<Readonly<Record<string, string>>> {
  return { KMS_REQUIRE_FIPS: 'true', KMS_FIPS_MODULE: await findFipsProvider() };
}

/** The command lines of a process and of all that it started, itself first; Linux alone tells. */
export function commandLines(pid: number): readonly (readonly string[])[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
  const own = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  return [own, ...children.flatMap((child) => commandLines(Number(child)))];
}
