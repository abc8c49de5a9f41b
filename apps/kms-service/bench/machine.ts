import { execFileSync } from 'node:child_process';
import { arch, cpus, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { findPostgresBinaries } from '@qnsp/test-harness';

/** What the numbers of a benchmark depend on, without anything that names the machine or its owner. */
export function describeMachine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const versions = [`Node.js ${process.versions.node}`, `OpenSSL ${process.versions.openssl}`, postgresVersion()];
  return `${processors.length} × ${model}, ${memory}, ${type()} ${arch()}; ${versions.join(', ')}`;
}

function postgresVersion(): string {
  const output = execFileSync(join(findPostgresBinaries() ?? '', 'postgres'), ['--version'], { encoding: 'utf8' });
  return `PostgreSQL ${/\d+(?:\.\d+)*/.exec(output)?.[0] ?? 'unknown'}`;
}
