import { spawnSync } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL(`./provider-probe${extname(import.meta.url)}`, import.meta.url));
/** Far more than a self test takes. */
const LIMIT_MS = 60_000;

/** A FIPS provider, in its own words. */
export interface FipsProvider {
  /** Such as `OpenSSL FIPS Provider`. */
  readonly name: string;
  readonly version: string;
  readonly buildInfo: string;
}

/**
 * Has a FIPS provider test itself in a process of its own.
 *
 * @param configuration the path of a configuration of OpenSSL that names the provider and does not activate it
 * @returns what the provider is, or why it cannot be used
 */
export function probeProvider(configuration: string): FipsProvider | { readonly refusal: string } {
  const { status, signal, error, stdout, stderr } = spawnSync(
    process.execPath,
    // The runtime's interface to native functions counts as experimental, which it says on stderr.
    ['--disable-warning=ExperimentalWarning', PROGRAM, configuration],
    { encoding: 'utf8', timeout: LIMIT_MS, env: {} },
  );
  // What the program writes, and nothing else.
  if (status === 0) return JSON.parse(stdout) as FipsProvider;
  const how =
    error?.message ?? (signal === null ? `its self test ended with ${status}` : `its self test ended by ${signal}`);
  return { refusal: stderr.trim() || how };
}
