/** The name under which OpenSSL has the provider, from any maker. */
const PROVIDER = 'fips';
/** What is fetched to see whose it is; OpenSSL's own provider has it as well. */
const CIPHER = 'AES-256-GCM';
/** As everything in this process fetches, and with what the provider alone answers to. */
const PROPERTIES = ['', 'fips=yes'];
const NULL = 0n;

/** The functions of OpenSSL, which the runtime has in it, that tell whose cryptography it does. */
const FUNCTIONS = {
  OSSL_PROVIDER_available: { arguments: ['pointer', 'string'], return: 'int32' },
  OSSL_PROVIDER_get0_name: { arguments: ['pointer'], return: 'pointer' },
  EVP_CIPHER_fetch: { arguments: ['pointer', 'string', 'string'], return: 'pointer' },
  EVP_CIPHER_get0_provider: { arguments: ['pointer'], return: 'pointer' },
  EVP_CIPHER_free: { arguments: ['pointer'], return: 'void' },
} as const;

/**
 * Looks in the OpenSSL of this process, not in its flags: Node.js goes on without a configuration that is not there.
 *
 * @returns why the cryptography of this process is not that of a FIPS provider, `undefined` if it is
 */
export function fipsProviderProblem(): string | undefined {
  const ffi = process.getBuiltinModule('node:ffi');
  // What Node.js before 26 says, whatever the types of 26 say.
  if ((ffi as typeof ffi | undefined) === undefined)
    return 'this Node.js cannot tell whether it has a FIPS provider: that takes Node.js 26';
  const { functions: openssl } = ffi.dlopen(null, FUNCTIONS);
  if (openssl.OSSL_PROVIDER_available(null, PROVIDER) !== 1) return 'no FIPS provider is loaded in this process';
  for (const properties of PROPERTIES) {
    const cipher = openssl.EVP_CIPHER_fetch(null, CIPHER, properties);
    if (cipher === NULL) return `the FIPS provider does not offer ${CIPHER}`;
    const name = ffi.toString(openssl.OSSL_PROVIDER_get0_name(openssl.EVP_CIPHER_get0_provider(cipher))) ?? '';
    openssl.EVP_CIPHER_free(cipher);
    if (name !== PROVIDER) return `${CIPHER} is that of the provider ${name} in this process`;
  }
  return undefined;
}
