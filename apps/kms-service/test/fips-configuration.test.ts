import { expect, test } from 'vitest';
import { ConfigurationError } from '../src/config/configuration-error.ts';
import { readConfig } from '../src/config/env.ts';
import { readModuleParameters, weakenedChecks } from '../src/fips/module-configuration.ts';
import { opensslConfiguration, TLS_CIPHERS } from '../src/fips/openssl-configuration.ts';

const BASE = { KMS_EMBEDDED_DEFAULTS: 'true', KMS_REQUIRE_FIPS: 'true', KMS_FIPS_MODULE: '/opt/fips/fips.so' };
const TLS = { KMS_TLS_CERT_FILE: '/cert.pem', KMS_TLS_KEY_FILE: '/key.pem' };
const INSTALLED = `[fips_sect]
activate = 1
install-version = 1
security-checks = 1
module-mac = D5:D0:63
install-mac = 41:9C
install-status = INSTALL_SELF_TEST_KATS_RUN
`;

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.map((problem) => problem.variable);
    throw error;
  }
  return [];
}

test('the FIPS mode needs a module, beside which its configuration lies unless another is named', () => {
  expect(problemsOf({ ...BASE, KMS_FIPS_MODULE: '' })).toEqual(['KMS_REQUIRE_FIPS']);
  expect(readConfig(BASE)).toMatchObject({
    requireFips: true,
    fips: { modulePath: '/opt/fips/fips.so', moduleConfigurationPath: '/opt/fips/fipsmodule.cnf' },
  });
  expect(readConfig({ ...BASE, KMS_FIPS_CONFIG: '/etc/fips.cnf' }).fips?.moduleConfigurationPath).toBe('/etc/fips.cnf');
  expect(readConfig({ ...BASE, KMS_REQUIRE_FIPS: 'false' })).toMatchObject({ requireFips: false, fips: undefined });
});

test('a certificate is claimed by its number alone', () => {
  expect(readConfig({ ...BASE, KMS_FIPS_CERTIFICATE: '1234' }).fips?.certificate).toBe('1234');
  for (const claim of ['validated', '#1234', '1234567'])
    expect(problemsOf({ ...BASE, KMS_FIPS_CERTIFICATE: claim }), claim).toEqual(['KMS_FIPS_CERTIFICATE']);
});

test('TLS in FIPS mode has groups of approved parts alone', () => {
  expect(readConfig({ ...BASE, ...TLS }).tls?.groups).not.toMatch(/X25519|X448/);
  expect(readConfig({ ...BASE, ...TLS }).tls?.approvedOnly).toBe(true);
  for (const groups of [
    'X25519',
    'P-256:X25519MLKEM768',
    'x448',
    'DEFAULT',
    'auto',
    'P-256/?x25519',
    'brainpoolP256r1',
  ])
    expect(problemsOf({ ...BASE, ...TLS, KMS_TLS_GROUPS: groups }), groups).toEqual(['KMS_TLS_GROUPS']);
  for (const groups of ['P-521', '?*SecP256r1MLKEM768/secp384r1', 'prime256v1:MLKEM1024', 'ffdhe3072'])
    expect(problemsOf({ ...BASE, ...TLS, KMS_TLS_GROUPS: groups }), groups).toEqual([]);
  expect(problemsOf({ ...BASE, ...TLS, KMS_REQUIRE_FIPS: 'false', KMS_TLS_GROUPS: 'X25519' })).toEqual([]);
});

test('a provider never gets what would spare it its self test', () => {
  expect([...(readModuleParameters(INSTALLED) ?? [])]).toEqual([
    ['install-version', '1'],
    ['security-checks', '1'],
    ['module-mac', 'D5:D0:63'],
  ]);
});

test('only the section of the provider counts, and only with a MAC', () => {
  expect(readModuleParameters(INSTALLED.replace('fips_sect', 'other_sect'))).toBeUndefined();
  expect(readModuleParameters(INSTALLED.replace('module-mac', 'other-mac'))).toBeUndefined();
  expect(readModuleParameters(`${INSTALLED}[other]\nadded = 1\n`)?.has('added')).toBe(false);
});

test.each(['conditional-errors', 'security-checks'])('a provider is not used without its %s', (name) => {
  const weakened = (value: string) =>
    weakenedChecks(readModuleParameters(`${INSTALLED}${name} = ${value}\n`) ?? new Map<string, string>());
  expect(weakened('0')).toContain(`${name} = 0: `);
  expect(weakened('1')).toBeUndefined();
});

test.each([true, false])('TLS has the ciphers of AES-GCM alone where legacyRead is %s', (legacyRead) => {
  const files = { modulePath: '/opt/fips.so', parameters: new Map([['module-mac', 'D5']]) };
  const text = opensslConfiguration(files, { active: true, legacyRead });
  const suites = ['Ciphersuites', 'CipherString'].map((name) => new RegExp(`^${name} = (.*)$`, 'm').exec(text)?.[1]);
  for (const list of [...suites, TLS_CIPHERS])
    expect(
      (list ?? '').split(':').filter((suite) => !/AES_?(?:128|256)[_-]GCM/.test(suite)),
      list,
    ).toEqual([]);
});

test('the configuration of OpenSSL has one provider with cryptography, and asks for what is approved', () => {
  const files = { modulePath: '/opt/fips.so', parameters: new Map([['module-mac', 'D5']]) };
  const text = opensslConfiguration(files, { active: true, legacyRead: false });
  expect(/^\[providers\]\n([^[]*)/m.exec(text)?.[1]).toBe('fips = fips\nbase = base\n\n');
  expect(text).toContain('\nmodule = /opt/fips.so\nactivate = 1\nmodule-mac = D5\n');
  expect(text).toContain('\ndefault_properties = fips=yes\n');
});
