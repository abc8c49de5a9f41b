import { checkPrime, checkPrimeSync } from 'node:crypto';
import { DerReader, TAG } from './der-reader.ts';
import { derInteger, derSequence } from './der-writer.ts';
import { demand } from './refused-material.ts';
import { hasRocaFingerprint } from './roca.ts';

/** The members of an RSA private key, under the names of RFC 8017, section 3.2. */
export interface RsaNumbers {
  readonly n: bigint;
  readonly e: bigint;
  readonly d: bigint;
  readonly p: bigint;
  readonly q: bigint;
  readonly dP: bigint;
  readonly dQ: bigint;
  readonly qInv: bigint;
}

/**
 * Reads an RSAPrivateKey (RFC 8017, appendix A.1.2) with two primes.
 *
 * @throws RefusedMaterial
 */
export function readRsaPrivateKey(der: Uint8Array): RsaNumbers {
  const outside = new DerReader(der, 'the private key');
  const key = outside.inside(TAG.sequence, 'RSA private key');
  outside.end();
  demand(key.smallInteger('version of the RSA private key') === 0, 'the RSA key has more than two primes');
  const next = (what: string) => toBigInt(key.unsigned(what));
  const numbers = {
    n: next('modulus'),
    e: next('public exponent'),
    d: next('private exponent'),
    p: next('first prime'),
    q: next('second prime'),
    dP: next('exponent of the first prime'),
    dQ: next('exponent of the second prime'),
    qInv: next('coefficient'),
  };
  key.end();
  return numbers;
}

/**
 * Refuses what is no RSAPublicKey (RFC 8017, appendix A.1.1). Which modulus and exponent may still be used is for whoever
 * verifies with it: old signatures stay to be verified.
 *
 * @throws RefusedMaterial
 */
export function demandRsaPublicKey(der: Uint8Array): void {
  const outside = new DerReader(der, 'the public key');
  const key = outside.inside(TAG.sequence, 'RSA public key');
  outside.end();
  const n = key.unsigned('modulus');
  const e = key.unsigned('public exponent');
  key.end();
  demand(((n.at(-1) ?? 0) & (e.at(-1) ?? 0) & 1) === 1, 'the modulus or the public exponent is even');
  demand(e.length > 1 || e[0] !== 1, 'the public exponent is 1');
}

/** Writes an RSAPrivateKey. */
export function writeRsaPrivateKey({ n, e, d, p, q, dP, dQ, qInv }: RsaNumbers): Buffer {
  return derSequence(...[0n, n, e, d, p, q, dP, dQ, qInv].map(derInteger));
}

/**
 * Holds an RSA key against SP 800-56B Rev. 2, section 6.4.1, and FIPS 186-5, appendix A.1, all but the primality of `p`
 * and `q`, which takes long ({@link demandPrimes}).
 *
 * @returns the key with `d` less than lcm(p − 1, q − 1), as both demand; many tools write one that is right but larger
 * @throws RefusedMaterial
 */
export function validateRsa(key: RsaNumbers): RsaNumbers {
  const { n, e, d, p, q, dP, dQ, qInv } = key;
  const modulusBits = bitLength(n);
  demand(modulusBits % 2 === 0, 'the modulus has an odd number of bits');
  const half = BigInt(modulusBits / 2);
  demand((e & 1n) === 1n, 'the public exponent is even (FIPS 186-5, A.1.1)');
  demand(e > 1n << 16n && e < 1n << 256n, 'the public exponent is not between 2^16 and 2^256 (FIPS 186-5, A.1.1)');
  // OPENSSL_RSA_SMALL_MODULUS_BITS and OPENSSL_RSA_MAX_PUBEXP_BITS: OpenSSL verifies nothing under such a key.
  demand(
    modulusBits <= 3072 || e < 1n << 64n,
    'with a modulus of more than 3072 bits the public exponent may have 64 bits (limit of OpenSSL)',
  );
  for (const prime of [p, q]) {
    demand(
      prime >> half === 0n && (prime * prime) >> (2n * half - 1n) > 0n,
      'a prime is not between √2·2^(nlen/2 − 1) and 2^(nlen/2) (FIPS 186-5, A.1.1)',
    );
  }
  demand(p !== q, 'the primes are the same number');
  demand(p * q === n, 'the modulus is not the product of the two primes (SP 800-56B, 6.4.1)');
  demand(magnitude(p - q) > 1n << (half - 100n), 'the primes are too close to each other (FIPS 186-5, A.1.1)');
  const common = gcd(p - 1n, q - 1n);
  const lcm = ((p - 1n) * (q - 1n)) / common;
  demand(d > 0n && d < n, 'the private exponent is not between 1 and the modulus');
  demand((d * e) % lcm === 1n, 'the exponents are not the inverse of each other (SP 800-56B, 6.4.1)');
  const least = d % lcm;
  demand(least > 1n << half, 'the private exponent is not greater than 2^(nlen/2) (FIPS 186-5, A.1.1)');
  demand(
    dP === d % (p - 1n) && dQ === d % (q - 1n),
    'an exponent of a prime is not that of the key (SP 800-56B, 6.4.1)',
  );
  demand(
    qInv < p && (qInv * q) % p === 1n,
    'the coefficient is not the inverse of the second prime (SP 800-56B, 6.4.1)',
  );
  // Chance makes one of more than 2^100 in no key; from 2^(nlen/4) it leads to the primes (McKee and Pinch, 1998).
  demand(common < 1n << 100n, 'p − 1 and q − 1 share a large factor, from which the key can be broken');
  demand(!hasRocaFingerprint(n), 'the key was made by a faulty library and can be broken (ROCA, CVE-2017-15361)');
  return { ...key, d: least };
}

/** OpenSSL runs this many rounds of Miller-Rabin with random bases: a composite passes with 2^-128, whoever chose it. */
const CHECKS = 64;

const NOT_PRIME = 'a factor of the modulus is not prime (SP 800-56B, 6.4.1)';

/**
 * Tests both primes off the event loop, one after the other: an import takes one thread at a time.
 *
 * @throws RefusedMaterial
 */
export async function demandPrimes({ p, q }: RsaNumbers): Promise<void> {
  for (const prime of [p, q]) demand(await isPrime(prime), NOT_PRIME);
}

/** The same on the spot, for a key that is read once, at the start. */
export function demandPrimesNow({ p, q }: RsaNumbers): void {
  for (const prime of [p, q]) demand(checkPrimeSync(prime, { checks: CHECKS }), NOT_PRIME);
}

function isPrime(candidate: bigint): Promise<boolean> {
  return new Promise((resolve, reject) => {
    checkPrime(candidate, { checks: CHECKS }, (error, prime) => {
      // Without an error it is `undefined`, whatever the types say.
      if (error instanceof Error) reject(error);
      else resolve(prime);
    });
  });
}

export function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

function toBigInt(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function gcd(a: bigint, b: bigint): bigint {
  let [greater, less] = [a, b];
  while (less !== 0n) [greater, less] = [less, greater % less];
  return greater;
}
