import { createHash, getFips } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fipsProviderProblem } from '@qnsp/kms-core/internal';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { FipsConfig } from '../config/read-fips.ts';
import { readModuleParameters, weakenedChecks } from './module-configuration.ts';
import { opensslConfiguration, PLAIN_PATH, type ProviderFiles, TLS_CIPHERS } from './openssl-configuration.ts';
import { type FipsProvider, probeProvider } from './probe-provider.ts';

/** All cryptography is the provider's, no code can change that, and what the provider does but does not approve of is refused. */
const STRICT = '--force-fips=strict';
/** Whether the provider is there is asked by the runtime's interface to native functions, which counts as experimental. */
const QUIET = '--disable-warning=ExperimentalWarning';

/**
 * Makes sure that this process does all its cryptography with a FIPS provider. A process that does not yet has the provider test
 * itself, writes the configuration of OpenSSL into the data directory, and becomes the same program again under the flags of Node.js
 * that put it to use: call this first. What it forks inherits these flags. Where what is not approved may be read, the runtime cannot be in
 * its FIPS mode: the provider is only preferred to OpenSSL's own.
 *
 * @param dataDir where the configuration goes, into the directory `fips`
 * @returns the provider, in the process that works with it
 * @throws ConfigurationError saying what is wrong with the provider, or what it lacks, and where others could change the configuration.
 */
export function enterFipsMode(fips: FipsConfig, dataDir: string): FipsProvider {
  const directory = join(resolve(dataDir), 'fips');
  const files = { configuration: join(directory, 'openssl.cnf'), provider: join(directory, 'provider.json') };
  const { legacyRead } = fips;
  const flags = [
    `--openssl-config=${files.configuration}`,
    `--tls-cipher-list=${TLS_CIPHERS}`,
    ...(legacyRead ? [] : [STRICT]),
  ];
  if (flags.every((flag) => process.execArgv.includes(flag))) {
    requireFipsMode(legacyRead);
    return readProvider(directory, files.provider);
  }
  const provider = providerFiles(fips, directory);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    requireOwn(directory);
    const probed = probe(directory, opensslConfiguration(provider, { active: false, legacyRead }));
    if ('refusal' in probed) throw refused('KMS_FIPS_MODULE', `${fips.modulePath}: ${probed.refusal}`);
    replace(files.provider, JSON.stringify(probed));
    replace(files.configuration, opensslConfiguration(provider, { active: true, legacyRead }));
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    throw refused('KMS_DATA_DIR', `the configuration of OpenSSL cannot be written there (${cause.message})`);
  }
  const [node, ...program] = process.argv;
  if (process.execve === undefined) throw refused('KMS_REQUIRE_FIPS', 'this system cannot start the FIPS mode');
  return process.execve(process.execPath, [node ?? process.execPath, ...process.execArgv, ...flags, QUIET, ...program]);
}

/** What this program wrote before it became itself again. */
function readProvider(directory: string, path: string): FipsProvider {
  try {
    requireOwn(directory);
    return JSON.parse(readFileSync(path, 'utf8')) as FipsProvider;
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    throw refused('KMS_DATA_DIR', `what is known of the FIPS provider cannot be read there (${cause.message})`);
  }
}

/** Those who could write here could have this program work with another provider. */
function requireOwn(directory: string): void {
  const found = lstatSync(directory);
  const { uid, mode } = found;
  if (!found.isDirectory()) throw refused('KMS_DATA_DIR', `${directory} is not a directory: remove it`);
  if (uid !== process.geteuid?.()) throw refused('KMS_DATA_DIR', `${directory} belongs to another user: remove it`);
  if ((mode & 0o022) !== 0)
    throw refused('KMS_DATA_DIR', `others can write into ${directory}: run chmod go-w on it, or remove it`);
}

function probe(directory: string, configuration: string): ReturnType<typeof probeProvider> {
  const tried = join(directory, `tried-${process.pid}.cnf`);
  try {
    replace(tried, configuration);
    return probeProvider(tried);
  } finally {
    rmSync(tried, { force: true });
  }
}

function providerFiles(fips: FipsConfig, directory: string): ProviderFiles {
  const { modulePath, moduleConfigurationPath } = fips;
  if (!PLAIN_PATH.test(modulePath))
    throw refused('KMS_FIPS_MODULE', 'must be a path of letters, digits and the characters ._/+@:,=- alone');
  if (!PLAIN_PATH.test(directory))
    throw refused('KMS_DATA_DIR', 'must be a path of letters, digits and the characters ._/+@:,=- alone in FIPS mode');
  const parameters = readModuleParameters(readConfiguration(moduleConfigurationPath));
  if (parameters === undefined)
    throw refused(
      'KMS_FIPS_CONFIG',
      `${moduleConfigurationPath} holds no module-mac of a FIPS provider: make it with "openssl fipsinstall -module ${modulePath} -out ${moduleConfigurationPath}"`,
    );
  const weakened = weakenedChecks(parameters);
  if (weakened !== undefined)
    throw refused('KMS_FIPS_CONFIG', `${moduleConfigurationPath} sets what FIPS 140-3 does not allow: ${weakened}`);
  return { modulePath, parameters };
}

function readConfiguration(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    throw refused(
      'KMS_FIPS_CONFIG',
      `${path} cannot be read (${reason}): it is what "openssl fipsinstall", of the same release as the module, writes for it`,
    );
  }
}

function replace(path: string, content: string): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content, { mode: 0o600 });
  renameSync(temporary, path);
}

/** A flag alone proves nothing: that the provider does the cryptography of this process, and nothing else does, is looked up. */
function requireFipsMode(legacyRead: boolean): void {
  const problem = fipsProviderProblem();
  if (problem !== undefined) throw refused('KMS_REQUIRE_FIPS', `this process is not in FIPS mode: ${problem}`);
  if (legacyRead) return;
  try {
    createHash('sha256').update('probe').digest();
  } catch (cause) {
    throw refused('KMS_REQUIRE_FIPS', `the FIPS provider offers no SHA-256 (${String(cause)})`);
  }
  if (getFips() !== 1 || hasMd5()) throw refused('KMS_REQUIRE_FIPS', 'this process is not in FIPS mode');
}

function hasMd5(): boolean {
  try {
    createHash('md5');
    return true;
  } catch {
    return false;
  }
}

function refused(variable: string, reason: string): ConfigurationError {
  return new ConfigurationError([{ variable, reason }]);
}
