import { existsSync, readFileSync } from 'node:fs';
import { ConfigurationError, type ConfigurationProblem } from './configuration-error.ts';
import type { ServiceConfig } from './service-config.ts';

const MEBIBYTE = 1024 * 1024;
/** The first start on the embedded database was seen to take 430 MiB; with less it is killed without notice. */
export const EMBEDDED_MEMORY_BYTES = 512 * MEBIBYTE;
/** The embedded database alone opens some 60 files; connections of clients and of the store come on top. */
export const LEAST_OPEN_FILES = 256;

/** What the operating system lets this process have. */
export interface MachineLimits {
  /** Bytes; undefined when nothing bounds it. */
  readonly memoryBytes: number | undefined;
  readonly openFiles: number | undefined;
}

/** The limits of this process: of its control group, and of `ulimit -n` where `/proc` tells. */
export function machineLimits(): MachineLimits {
  const memory = process.constrainedMemory();
  const limits = '/proc/self/limits';
  const [, soft] = existsSync(limits) ? (/^Max open files +(\d+)/m.exec(readFileSync(limits, 'utf8')) ?? []) : [];
  return {
    // Without a limit the number is 0, or beyond what a machine can have.
    memoryBytes: memory > 0 && memory <= Number.MAX_SAFE_INTEGER ? memory : undefined,
    openFiles: soft === undefined ? undefined : Number(soft),
  };
}

/**
 * Refuses a start that would end in the middle: killed for its memory, or with no file left to open.
 *
 * @throws ConfigurationError
 */
export function requireRoom(config: Pick<ServiceConfig, 'database'>, limits: MachineLimits): void {
  const problems: ConfigurationProblem[] = [];
  const { memoryBytes, openFiles } = limits;
  if (config.database.kind === 'pglite' && memoryBytes !== undefined && memoryBytes < EMBEDDED_MEMORY_BYTES) {
    problems.push({
      variable: 'DATABASE_URL',
      reason: `the embedded database needs ${EMBEDDED_MEMORY_BYTES / MEBIBYTE} MiB of memory, and this process may use ${Math.floor(memoryBytes / MEBIBYTE)} MiB: raise the limit, or name a PostgreSQL here`,
    });
  }
  if (openFiles !== undefined && openFiles < LEAST_OPEN_FILES) {
    problems.push({
      variable: 'ulimit -n',
      reason: `this process may open ${openFiles} files and connections, and needs ${LEAST_OPEN_FILES}`,
    });
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
}
