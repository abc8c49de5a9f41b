import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CertificateOptions, makeAuthority, tempDir } from '@qnsp/test-harness';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigurationError, type ConfigurationProblem } from '../../src/config/configuration-error.ts';
import { readConfig } from '../../src/config/env.ts';
import { readIdentity } from '../../src/tls/read-identity.ts';

const ROOT = { KMS_ROOT_KEY: Buffer.alloc(32, 7).toString('base64') };
const MINUTE_MS = 60_000;
const directory = tempDir('qnsp-tls-settings-');
afterAll(() => directory.remove());
const authority = makeAuthority(directory.path, 'authority');
const good = authority.issue('good');
const file = (name: string, content: string): string => {
  const path = join(directory.path, name);
  writeFileSync(path, content);
  return path;
};
const pem = (path: string) => readFileSync(path, 'utf8');
const issued = (name: string, options: CertificateOptions = {}) => {
  const { certificate, key } = authority.issue(name, options);
  return { KMS_TLS_CERT_FILE: certificate, KMS_TLS_KEY_FILE: key };
};
const GOOD = { KMS_TLS_CERT_FILE: good.certificate, KMS_TLS_KEY_FILE: good.key };

/** What keeps a service with this environment from starting, as far as it is about its transport. */
function problemsOf(environment: Readonly<Record<string, string>>): readonly ConfigurationProblem[] {
  try {
    const { tls } = readConfig({ ...ROOT, ...environment });
    if (tls !== undefined) readIdentity(tls, new Date());
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

describe('the files of TLS', () => {
  const intermediate = authority.issueAuthority('intermediate');
  const below = intermediate.issue('below');
  const fetched = ['authorityInfoAccess=caIssuers;URI:http://authority.example/intermediate.pem'];
  const elsewhere = intermediate.issue('elsewhere', { extensions: fetched });
  const chained = pem(elsewhere.certificate) + pem(intermediate.certificate);

  test.each<readonly [string, Readonly<Record<string, string>>]>([
    ['a certificate and its key', GOOD],
    ['a key of RSA', issued('rsa', { newKey: ['rsa:2048'] })],
    [
      'an encrypted key with its passphrase',
      {
        ...issued('locked', { passphrase: ' with blanks ' }),
        KMS_TLS_KEY_PASSPHRASE: ' with blanks ',
      },
    ],
    [
      'those that lead to the authority',
      { KMS_TLS_CERT_FILE: file('chained.pem', chained), KMS_TLS_KEY_FILE: elsewhere.key },
    ],
    ['one whose authority is known to clients', { KMS_TLS_CERT_FILE: below.certificate, KMS_TLS_KEY_FILE: below.key }],
    [
      'authorities of clients and what they revoked',
      {
        ...GOOD,
        KMS_TLS_CLIENT_CA_FILE: authority.certificate,
        KMS_TLS_CRL_FILE: authority.revocations(),
      },
    ],
    ['TLS 1.2 and other groups', { ...GOOD, KMS_TLS_MIN_VERSION: '1.2', KMS_TLS_GROUPS: 'P-384:X25519' }],
  ])('may be %s', (_name, environment) => {
    expect(problemsOf(environment)).toEqual([]);
  });

  test.each<readonly [string, Readonly<Record<string, string>>, string, RegExp]>([
    ['a certificate without a key', { KMS_TLS_CERT_FILE: good.certificate }, 'KMS_TLS_KEY_FILE', /needed/],
    ['a key without a certificate', { KMS_TLS_KEY_FILE: good.key }, 'KMS_TLS_CERT_FILE', /needed/],
    [
      'authorities of clients without TLS',
      { KMS_TLS_CLIENT_CA_FILE: authority.certificate },
      'KMS_TLS_CERT_FILE',
      /needed/,
    ],
    ['revocations without authorities', { ...GOOD, KMS_TLS_CRL_FILE: good.key }, 'KMS_TLS_CLIENT_CA_FILE', /needed/],
    ['a certificate that is not there', { ...GOOD, KMS_TLS_CERT_FILE: '/nowhere.pem' }, 'KMS_TLS_CERT_FILE', /ENOENT/],
    ['a key that is not there', { ...GOOD, KMS_TLS_KEY_FILE: '/nowhere.key' }, 'KMS_TLS_KEY_FILE', /ENOENT/],
    ['no certificate', { ...GOOD, KMS_TLS_CERT_FILE: good.key }, 'KMS_TLS_CERT_FILE', /holds no certificate in PEM/],
    [
      'half a certificate',
      {
        ...GOOD,
        KMS_TLS_CERT_FILE: file('half.pem', pem(good.certificate).slice(0, 300)),
      },
      'KMS_TLS_CERT_FILE',
      /holds no certificate in PEM/,
    ],
    ['no key', { ...GOOD, KMS_TLS_KEY_FILE: good.certificate }, 'KMS_TLS_KEY_FILE', /holds no private key in PEM/],
    [
      'an encrypted key without its passphrase',
      issued('sealed', { passphrase: 'hush' }),
      'KMS_TLS_KEY_FILE',
      /is encrypted/,
    ],
    [
      'an encrypted key with another passphrase',
      {
        ...issued('sealed too', { passphrase: 'hush' }),
        KMS_TLS_KEY_PASSPHRASE: 'loud',
      },
      'KMS_TLS_KEY_FILE',
      /check the passphrase/,
    ],
    [
      'the key of another certificate',
      { ...GOOD, KMS_TLS_KEY_FILE: authority.issue('other').key },
      'KMS_TLS_KEY_FILE',
      /is not the key of/,
    ],
    [
      'an expired certificate',
      issued('expired', { validUntil: new Date(Date.now() - MINUTE_MS) }),
      'KMS_TLS_CERT_FILE',
      /expired at 20/,
    ],
    [
      'one that is not valid yet',
      issued('early', { validFrom: new Date(Date.now() + 60 * MINUTE_MS) }),
      'KMS_TLS_CERT_FILE',
      /is not valid before 20/,
    ],
    [
      'a weak key of RSA',
      issued('weak', { newKey: ['rsa:1024'] }),
      'KMS_TLS_CERT_FILE',
      /is weak: its RSA key has 1024 bits/,
    ],
    [
      'a weak key on a curve',
      issued('weak curve', { newKey: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-224'] }),
      'KMS_TLS_CERT_FILE',
      /is weak: its key is on the curve/,
    ],
    ['a weak signature', issued('sha1', { digest: 'sha1' }), 'KMS_TLS_CERT_FILE', /is weak: it is signed with .*sha1/i],
    [
      'a certificate of a client',
      issued('client', { extensions: ['extendedKeyUsage=clientAuth'] }),
      'KMS_TLS_CERT_FILE',
      /lacks serverAuth/,
    ],
    [
      'a chain in the wrong order',
      {
        ...GOOD,
        KMS_TLS_CERT_FILE: file('disordered.pem', pem(elsewhere.certificate) + pem(good.certificate)),
        KMS_TLS_KEY_FILE: elsewhere.key,
      },
      'KMS_TLS_CERT_FILE',
      /put the certificate of the service first/,
    ],
    [
      'one whose chain is missing',
      { KMS_TLS_CERT_FILE: elsewhere.certificate, KMS_TLS_KEY_FILE: elsewhere.key },
      'KMS_TLS_CERT_FILE',
      /CN=intermediate, which is not in the file/,
    ],
    [
      'clients of a certificate that issues nothing',
      { ...GOOD, KMS_TLS_CLIENT_CA_FILE: good.certificate },
      'KMS_TLS_CLIENT_CA_FILE',
      /CN=good is not an authority/,
    ],
    [
      'revocations that are none',
      {
        ...GOOD,
        KMS_TLS_CLIENT_CA_FILE: authority.certificate,
        KMS_TLS_CRL_FILE: authority.certificate,
      },
      'KMS_TLS_CRL_FILE',
      /no list of revoked certificates/,
    ],
    [
      'groups that OpenSSL does not know',
      { ...GOOD, KMS_TLS_GROUPS: 'X25519:Curve9' },
      'KMS_TLS_GROUPS',
      /names of groups/,
    ],
    ['another version', { ...GOOD, KMS_TLS_MIN_VERSION: '1.1' }, 'KMS_TLS_MIN_VERSION', /1\.2, 1\.3/],
  ])('may not be %s', (_name, environment, variable, reason) => {
    const problems = problemsOf(environment);
    expect(problems).toEqual([{ variable, reason: expect.stringMatching(reason) }]);
    for (const secret of ['hush', 'loud', 'PRIVATE KEY-----\n']) expect(problems[0]?.reason).not.toContain(secret);
  });
});

describe('plain HTTP', () => {
  test.each(['127.0.0.1', '127.8.8.8', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', 'localhost'])(
    'on %s is on this machine only, which KMS_REQUIRE_TLS allows',
    (HOST) => {
      expect(problemsOf({ HOST, KMS_REQUIRE_TLS: 'true' })).toEqual([]);
    },
  );

  test.each(['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'kms.example', 'localhost.example', undefined])(
    'on %s is what KMS_REQUIRE_TLS refuses, and nothing else',
    (host) => {
      const HOST = host === undefined ? {} : { HOST: host };
      const refused = [{ variable: 'KMS_REQUIRE_TLS', reason: expect.stringContaining('KMS_TLS_CERT_FILE') }];
      expect(problemsOf({ ...HOST, KMS_REQUIRE_TLS: 'true' })).toEqual(refused);
      expect(problemsOf({ ...HOST, KMS_REQUIRE_TLS: 'true', ...GOOD })).toEqual([]);
      expect(problemsOf({ ...HOST, KMS_REQUIRE_TLS: 'true', PORT: 'none', KMS_LISTEN_UNIX: 'kms.sock' })).toEqual([]);
      expect(problemsOf(HOST)).toEqual([]);
    },
  );
});

test('the service listens on something, and on no file whose name is too long', () => {
  expect(problemsOf({ PORT: 'none' })).toEqual([
    { variable: 'PORT', reason: expect.stringContaining('KMS_LISTEN_UNIX') },
  ]);
  const path = `/${'a'.repeat(100)}`;
  expect(problemsOf({ KMS_LISTEN_UNIX: path })).toEqual([
    { variable: 'KMS_LISTEN_UNIX', reason: expect.stringContaining('99') },
  ]);
});
