import { dirname, join, resolve } from 'node:path';
import type { Variables } from './variables.ts';

/** The FIPS provider that the service runs with, and what its operator says of it. */
export interface FipsConfig {
  /** The absolute path of the provider's module. */
  readonly modulePath: string;
  /** The file that `openssl fipsinstall` wrote for this module. */
  readonly moduleConfigurationPath: string;
  /** The number of the certificate that the operator says the provider has. Nothing here knows whether it does. */
  readonly certificate: string | undefined;
  /** Whether keys of algorithms that are not approved may still read what they protected. */
  readonly legacyRead: boolean;
}

const NO_MODULE =
  'the FIPS provider of OpenSSL is needed: set KMS_FIPS_MODULE to the path of its fips.so, beside which the fipsmodule.cnf lies that "openssl fipsinstall" wrote for it';

/** Reads the settings of the FIPS mode, `undefined` where it is not asked for. */
export function readFips(env: Variables): FipsConfig | undefined {
  const required = env.boolean('KMS_REQUIRE_FIPS', false);
  const modulePath = env.text('KMS_FIPS_MODULE');
  const moduleConfigurationPath = env.text('KMS_FIPS_CONFIG');
  const legacyRead = env.boolean('KMS_FIPS_ALLOW_LEGACY_READ', false);
  const certificate = env.text('KMS_FIPS_CERTIFICATE');
  if (certificate !== undefined && !/^\d{1,6}$/.test(certificate))
    env.problem('KMS_FIPS_CERTIFICATE', 'must be the number of a certificate of the provider, such as 1234');
  if (!required) return undefined;
  if (modulePath === undefined) {
    env.problem('KMS_REQUIRE_FIPS', NO_MODULE);
    return undefined;
  }
  return {
    modulePath: resolve(modulePath),
    moduleConfigurationPath: resolve(moduleConfigurationPath ?? join(dirname(modulePath), 'fipsmodule.cnf')),
    certificate,
    legacyRead,
  };
}
