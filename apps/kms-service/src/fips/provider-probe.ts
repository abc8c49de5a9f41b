import { dlopen, getRawPointer, toString } from 'node:ffi';

/*
 * A program of its own: loads the FIPS provider that a configuration of OpenSSL names, without activating it, into a library context
 * that nothing else uses, has it test itself, and writes what it says of itself to stdout, as JSON. Whatever a module does that may be
 * anything ends this process alone; what OpenSSL says of it is on stderr.
 *
 *   node provider-probe.js OPENSSL_CONFIGURATION
 */

/** `OSSL_PARAM_UTF8_PTR` of `openssl/core.h`. */
const UTF8_POINTER = 6;
const POINTER_BYTES = 8;
/** The bytes of an `OSSL_PARAM` where pointers have 64 bits: key, type with padding, data, size, size that was answered. */
const PARAM_BYTES = 40;
const ERROR_TEXT_BYTES = 256;

const { functions: openssl } = dlopen(null, {
  OSSL_LIB_CTX_new: { return: 'pointer', arguments: [] },
  OSSL_LIB_CTX_load_config: { return: 'int32', arguments: ['pointer', 'string'] },
  OSSL_PROVIDER_load: { return: 'pointer', arguments: ['pointer', 'string'] },
  OSSL_PROVIDER_self_test: { return: 'int32', arguments: ['pointer'] },
  OSSL_PROVIDER_get_params: { return: 'int32', arguments: ['pointer', 'buffer'] },
  ERR_get_error_all: { return: 'uint64', arguments: ['pointer', 'pointer', 'pointer', 'buffer', 'pointer'] },
  ERR_error_string_n: { return: 'void', arguments: ['uint64', 'buffer', 'uint64'] },
});

/** Ends the process with everything that OpenSSL has to say. */
function fail(what: string): never {
  const data = Buffer.alloc(POINTER_BYTES);
  const reasons = new Set<string>();
  const next = () => openssl.ERR_get_error_all(null, null, null, data, null);
  for (let code = next(); code !== 0n; code = next()) {
    const text = Buffer.alloc(ERROR_TEXT_BYTES);
    openssl.ERR_error_string_n(code, text, BigInt(text.length));
    const reason = text.toString('latin1', 0, text.indexOf(0)).replace(/^error:[0-9A-F]+:[^:]*:+/, '');
    const about = toString(data.readBigUInt64LE()) ?? '';
    reasons.add(about === '' ? reason : `${reason} (${about})`);
  }
  process.stderr.write(`${what}: ${[...reasons].join('; ')}\n`);
  process.exit(1);
}

/** The value of a text parameter of the provider. */
function parameter(provider: bigint, name: string): string {
  const key = Buffer.from(`${name}\0`);
  const value = Buffer.alloc(POINTER_BYTES);
  // The list ends with a parameter whose key is null.
  const list = Buffer.alloc(2 * PARAM_BYTES);
  list.writeBigUInt64LE(getRawPointer(key), 0);
  list.writeUInt32LE(UTF8_POINTER, 8);
  list.writeBigUInt64LE(getRawPointer(value), 16);
  if (openssl.OSSL_PROVIDER_get_params(provider, list) !== 1) fail(`the provider does not say its ${name}`);
  return toString(value.readBigUInt64LE()) ?? '';
}

const [configuration = ''] = process.argv.slice(2);
const context = openssl.OSSL_LIB_CTX_new();
if (openssl.OSSL_LIB_CTX_load_config(context, configuration) !== 1) fail('OpenSSL does not take the configuration');
const provider = openssl.OSSL_PROVIDER_load(context, 'fips');
if (provider === 0n) fail('the module does not load as a FIPS provider');
if (openssl.OSSL_PROVIDER_self_test(provider) !== 1) fail('the self test of the provider failed');
process.stdout.write(
  JSON.stringify({
    name: parameter(provider, 'name'),
    version: parameter(provider, 'version'),
    buildInfo: parameter(provider, 'buildinfo'),
  }),
);
