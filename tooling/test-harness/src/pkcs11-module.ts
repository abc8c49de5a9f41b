import { existsSync } from 'node:fs';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** The PKCS #11 library to test against: the one that TEST_PKCS11_MODULE names, otherwise an installed SoftHSM. */
export function findPkcs11Module(): string | undefined {
  const named = process.env['TEST_PKCS11_MODULE'];
  if (named !== undefined) return named;
  const triplet = `${ARCHITECTURES[process.arch] ?? process.arch}-linux-gnu`;
  return [
    '/usr/lib/softhsm/libsofthsm2.so',
    `/usr/lib/${triplet}/softhsm/libsofthsm2.so`,
    '/usr/local/lib/softhsm/libsofthsm2.so',
    '/opt/homebrew/lib/softhsm/libsofthsm2.so',
  ].find((path) => existsSync(path));
}
