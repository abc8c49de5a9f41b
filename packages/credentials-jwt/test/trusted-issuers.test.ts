import { describe, expect, test } from 'vitest';
import { InvalidIssuers, readTrustedIssuers } from '../src/index.ts';

const SOUND = { issuer: 'https://issuer.example', audience: 'https://kms.example', discovery: true };

describe('the issuers that an operator trusts', () => {
  test('have defaults for all that is not said', () => {
    expect(readTrustedIssuers(JSON.stringify([SOUND]))).toEqual([
      {
        issuer: SOUND.issuer,
        audiences: [SOUND.audience],
        keys: { kind: 'discovery' },
        algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'],
        clockToleranceSeconds: 30,
        maxLifetimeSeconds: 86_400,
      },
    ]);
  });

  test('have their keys at an address, in a file, or where they say themselves', () => {
    const { discovery: _, ...bare } = SOUND;
    const all = [
      { ...bare, issuer: 'a', jwksUrl: 'https://issuer.example/jwks' },
      { ...bare, issuer: 'b', jwksUrl: 'http://127.0.0.1:8080/jwks' },
      { ...bare, issuer: 'c', jwksUrl: 'http://localhost/jwks' },
      { ...bare, issuer: 'd', jwksUrl: 'http://[::1]/jwks', audience: ['x', 'y'] },
      { ...bare, issuer: 'e', jwksFile: '/etc/kms/jwks.json', algorithms: ['EdDSA'], clockToleranceSeconds: 0 },
    ];
    expect(readTrustedIssuers(JSON.stringify(all)).map(({ keys }) => keys.kind)).toEqual([
      'url',
      'url',
      'url',
      'url',
      'file',
    ]);
  });

  const { discovery: _, ...withoutKeys } = SOUND;
  test.each<[string, unknown, string]>([
    ['no list', {}, 'must be a JSON list'],
    ['an empty list', [], '1 to 32 issuers'],
    ['too many', Array.from({ length: 33 }, (__, at) => ({ ...SOUND, issuer: `https://${at}.example` })), '1 to 32'],
    ['one twice', [SOUND, { ...SOUND, audience: 'other' }], 'twice'],
    ['what is no object', ['https://issuer.example'], 'entry 1: must be an object'],
    ['an unknown member', [{ ...SOUND, jwksUri: 'x' }], 'unknown member jwksUri'],
    ['no issuer', [{ ...SOUND, issuer: '' }], 'issuer must be text'],
    ['the issuer of certificates', [{ ...SOUND, issuer: 'mtls' }], 'issuer must not be mtls'],
    ['an issuer with a #', [{ ...SOUND, issuer: 'https://issuer.example/#a' }], 'issuer must not have a #'],
    ['no audience', [{ ...SOUND, audience: undefined }], 'audience must be text'],
    ['no audience in a list', [{ ...SOUND, audience: [] }], 'audience must not be empty'],
    ['no source of keys', [withoutKeys], 'jwksUrl, jwksFile, discovery'],
    ['two sources of keys', [{ ...SOUND, jwksFile: 'x' }], 'must have one of'],
    ['no discovery', [{ ...SOUND, discovery: false }], 'discovery must be true'],
    ['discovery in clear text', [{ ...SOUND, issuer: 'http://issuer.example' }], 'https URL'],
    ['discovery of what is no URL', [{ ...SOUND, issuer: 'issuer' }], 'https URL'],
    ['keys in clear text', [{ ...withoutKeys, jwksUrl: 'http://issuer.example/jwks' }], 'jwksUrl must be an https URL'],
    ['keys in clear text of a look-alike', [{ ...withoutKeys, jwksUrl: 'http://127.0.0.1.example/' }], 'https URL'],
    ['keys by another scheme', [{ ...withoutKeys, jwksUrl: 'file:///etc/passwd' }], 'https URL'],
    ['keys with a password', [{ ...withoutKeys, jwksUrl: 'https://a:b@issuer.example/' }], 'https URL'],
    ['the algorithm none', [{ ...SOUND, algorithms: ['none'] }], 'algorithms may have'],
    ['a symmetric algorithm', [{ ...SOUND, algorithms: ['RS256', 'HS256'] }], 'algorithms may have'],
    ['no algorithm', [{ ...SOUND, algorithms: [] }], 'algorithms must be a list'],
    ['a tolerance that is too long', [{ ...SOUND, clockToleranceSeconds: 301 }], 'from 0 to 300'],
    ['a lifetime that is no number', [{ ...SOUND, maxLifetimeSeconds: '3600' }], 'maxLifetimeSeconds must be'],
    ['a lifetime that is too long', [{ ...SOUND, maxLifetimeSeconds: 366 * 86_400 + 1 }], 'maxLifetimeSeconds must be'],
  ])('cannot be %s', (_what, issuers, reason) => {
    expect(() => readTrustedIssuers(JSON.stringify(issuers))).toThrow(InvalidIssuers);
    expect(() => readTrustedIssuers(JSON.stringify(issuers))).toThrow(reason);
  });

  test.each(['', '[', '[{}]]', '[{"issuer":"a","issuer":"b"}]', ']'])('cannot be the text %j', (text) => {
    expect(() => readTrustedIssuers(text)).toThrow(InvalidIssuers);
  });
});
