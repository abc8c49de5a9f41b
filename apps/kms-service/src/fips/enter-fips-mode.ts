import { createHash, getFips } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { FipsConfig } from '../config/read-fips.ts';
import { readModuleParameters } from './module-configuration.ts';
import { opensslConfiguration, PLAIN_PATH, type ProviderFiles } from './openssl-configuration.ts';
import { type FipsProvider, probeProvider } from './probe-provider.ts';

/** All cryptography is the provider's, no code can change that, and what the provider does but does not approve of is refused. */
const STRICT = '--force-fips=strict';

/**
 * Makes sure that this process does all its cryptography with a FIPS provider. A process that does not yet has the provider test
 * itself, writes the configuration of OpenSSL into the data directory, and becomes the same program again under the flags of Node.js
 * that put it to use: call this first. What it forks inherits these flags. Where what is not approved may be read, the runtime cannot be in
 * its FIPS mode: the provider is only preferred to OpenSSL's own.
 *
 * @param dataDir where the configuration goes, into the directory `fips`
 * @returns the provider, in the process that works with it
 * @throws ConfigurationError saying what is wrong with the provider, or what it lacks.
 */
export function enterFipsMode(fips: FipsConfig, dataDir: string): FipsProvider {
  const directory = join(resolve(dataDir), 'fips');
  const files = { configuration: join(directory, 'openssl.cnf'), provider: join(directory, 'provider.json') };
  const { legacyRead } = fips;
  const flags = [`--openssl-config=${files.configuration}`, ...(legacyRead ? [] : [STRICT])];
  if (flags.every((flag) => process.execArgv.includes(flag))) {
    if (!legacyRead) requireFipsMode();
    // Written below, by this program.
    return JSON.parse(readFileSync(files.provider, 'utf8')) as FipsProvider;
  }
  const provider = providerFiles(fips, directory);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const tried = join(directory, `tried-${process.pid}.cnf`);
    replace(tried, opensslConfiguration(provider, { active: false, legacyRead }));
    const probed = probeProvider(tried);
    if ('refusal' in probed) throw refused('KMS_FIPS_MODULE', `${fips.modulePath}: ${probed.refusal}`);
    replace(files.provider, JSON.stringify(probed));
    replace(files.configuration, opensslConfiguration(provider, { active: true, legacyRead }));
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause;
    throw refused('KMS_DATA_DIR', `the configuration of OpenSSL cannot be written there (${cause.message})`);
  }
  const [node, ...program] = process.argv;
  if (process.execve === undefined) throw refused('KMS_REQUIRE_FIPS', 'this system cannot start the FIPS mode');
  return process.execve(process.execPath, [node ?? process.execPath, ...process.execArgv, ...flags, ...program]);
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

/** A flag alone proves nothing: that there is an approved algorithm, and none besides, does. */
function requireFipsMode(): void {
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
