import { createHash, getFips, setFips } from 'node:crypto';
import { ConfigurationError } from './config/configuration-error.ts';

/**
 * Switches this process to the OpenSSL FIPS provider and checks that it is really on.
 *
 * @throws ConfigurationError saying what is missing.
 */
export function enterFipsMode(): void {
  const missing =
    'the OpenSSL FIPS provider is not available to this Node: install a FIPS 140-3 validated provider and point OPENSSL_CONF and OPENSSL_MODULES at it';
  try {
    setFips(true);
    // OpenSSL sets the flag even where no FIPS provider is loaded; then there is no algorithm left to fetch.
    createHash('sha256').update('probe').digest();
  } catch (cause) {
    throw new ConfigurationError([
      {
        variable: 'KMS_REQUIRE_FIPS',
        reason: `${missing} (${cause instanceof Error ? cause.message : 'unknown reason'})`,
      },
    ]);
  }
  if (getFips() !== 1) throw new ConfigurationError([{ variable: 'KMS_REQUIRE_FIPS', reason: missing }]);
}
