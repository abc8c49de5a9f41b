import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { keyIn, publicKeyIn } from '../src/files/key-file.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PEM = privateKey.export({ format: 'pem', type: 'pkcs8' });
const DER = privateKey.export({ format: 'der', type: 'pkcs8' });
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
const BAG = 'Bag Attributes\n    localKeyID: 54 69 6D 65 \n    friendlyName: my key\nKey Attributes: <No Attributes>\n';
const refusal = (code: number, message: RegExp): Error => {
  // Vitest gives matchers no type; `toThrow` takes one in the place of an error.
  const matcher: unknown = expect.objectContaining({ exitCode: code, message: expect.stringMatching(message) });
  return matcher as Error;
};

describe('the private key of a PEM file is found', () => {
  const files: Readonly<Record<string, string | Buffer>> = {
    'as OpenSSL writes it': PEM,
    'behind Bag Attributes': BAG + PEM,
    'behind a byte order mark': `\ufeff${PEM}`,
    'behind a byte order mark and Bag Attributes': `\ufeff${BAG}${PEM}`,
    'behind empty lines': `\n\n \n${PEM}`,
    'between certificates, as in a PKCS #12 file': `${BAG}${CERTIFICATE}${BAG}${PEM}${CERTIFICATE}`,
    'with the lines of Windows': PEM.replaceAll('\n', '\r\n'),
    'with lines of old': PEM.replaceAll('\n', '\r'),
    'in UTF-16, as PowerShell writes': Buffer.from(`\ufeff${PEM}`, 'utf16le'),
    'with blanks behind its lines': PEM.replaceAll('\n', ' \n'),
    'without a line feed at its end': PEM.trimEnd(),
    'as SEC 1 behind parameters': `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${privateKey.export(
      { format: 'pem', type: 'sec1' },
    )}`,
  };
  test.each(Object.entries(files))('%s', (_name, file) => {
    const bytes = Buffer.from(file);
    expect(Buffer.from(keyIn(bytes, 'key.pem'))).toEqual(DER);
    expect(bytes).toEqual(Buffer.alloc(bytes.length));
  });
});

test('raw bytes and DER are what they are, whatever is in them', () => {
  for (const bytes of [DER, randomBytes(32), Buffer.from('\ufeff'.repeat(16)), Buffer.from('a secret of words')])
    expect(keyIn(bytes, 'key')).toBe(bytes);
});

test('what a PEM file says is for the service to judge: nothing of it is left away', () => {
  const behind = Buffer.concat([DER, Buffer.of(0)]);
  const pem = `-----BEGIN PRIVATE KEY-----\n${behind.toString('base64')}\n-----END PRIVATE KEY-----\n`;
  expect(Buffer.from(keyIn(Buffer.from(pem), 'key.pem'))).toEqual(behind);
});

describe('a file without a key that can be used is refused with the reason', () => {
  const encrypted = { cipher: 'aes-256-cbc', passphrase: 'x' } as const;
  const files: Readonly<Record<string, readonly [string, RegExp]>> = {
    'an empty file': ['', /^key\.pem is empty\.$/],
    'nothing but a byte order mark and lines': ['\ufeff\r\n\r\n', /^key\.pem is empty\.$/],
    'a certificate': [CERTIFICATE, /no private key, but CERTIFICATE/],
    'two keys': [PEM + PEM, /2 private keys/],
    'a key without its end': [PEM.slice(0, -20), /cut off/],
    'a key of which a letter is missing': [PEM.replace('MIGH', 'MIG'), /cannot be read/],
    'a key with a letter that is none': [PEM.replace('MIGH', 'MI*H'), /cannot be read/],
    'a key that is empty': ['-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n', /cannot be read/],
    'an encrypted key': [privateKey.export({ format: 'pem', type: 'pkcs8', ...encrypted }), /encrypted/],
    'an encrypted key of the old form': [privateKey.export({ format: 'pem', type: 'sec1', ...encrypted }), /encrypted/],
    'a key of OpenSSH': [PEM.replaceAll('PRIVATE', 'OPENSSH PRIVATE'), /cannot be read/],
  };
  test.each(Object.entries(files))('%s', (_name, [file, reason]) => {
    expect(() => keyIn(Buffer.from(file), 'key.pem')).toThrow(refusal(EXIT.data, reason));
  });
});

describe('the public key of a file', () => {
  const pem = publicKey.export({ format: 'pem', type: 'spki' });
  const der = publicKey.export({ format: 'der', type: 'spki' });
  test.each([
    ['DER', der],
    ['PEM', pem],
    ['PEM behind an empty line', `\n${pem}`],
    ['PEM with the lines of Windows', pem.replaceAll('\n', '\r\n')],
    ['PEM in UTF-16', Buffer.from(`\ufeff${pem}`, 'utf16le')],
  ])('is taken as %s', (_name, file) => {
    expect(Buffer.from(publicKeyIn(Buffer.from(file), 'peer.pem'))).toEqual(der);
  });

  test.each([
    ['nothing', '', /^peer\.pem is empty\.$/],
    ['a private key', PEM, /holds PRIVATE KEY\.$/],
    ['two public keys', pem + pem, /one public key, but holds PUBLIC KEY, PUBLIC KEY\.$/],
    ['a key that is cut off', pem.slice(0, 60), /cannot be read/],
  ])('is not made of %s', (_name, file, message) => {
    expect(() => publicKeyIn(Buffer.from(file), 'peer.pem')).toThrow(refusal(EXIT.data, message));
  });
});
