import { generatePrimeSync } from 'node:crypto';
import { derElement } from '../../src/key-material/der-writer.ts';
import { TAG } from '../../src/key-material/der-reader.ts';
import { writeAlgorithm, writePrivateKeyInfo } from '../../src/key-material/key-containers.ts';
import { type RsaNumbers, writeRsaPrivateKey } from '../../src/key-material/rsa-key.ts';
import { RSA_OID } from '../../src/algorithms/key-encodings.ts';

export const F4 = 65_537n;

/** A prime whose two highest bits are set, so that two of them have a product of full length. */
export function prime(bits: number): bigint {
  return generatePrimeSync(bits, { bigint: true });
}

/** The key of two factors, with every other member as it follows from them. */
export function rsaOf(p: bigint, q: bigint, e = F4): RsaNumbers {
  const lcm = ((p - 1n) * (q - 1n)) / gcd(p - 1n, q - 1n);
  const d = inverse(e, lcm);
  return { n: p * q, e, d, p, q, dP: d % (p - 1n), dQ: d % (q - 1n), qInv: gcd(p, q) === 1n ? inverse(q, p) : 1n };
}

/** PKCS #8 in DER. */
export function rsaContainer(numbers: RsaNumbers): Buffer {
  return writePrivateKeyInfo(writeAlgorithm(RSA_OID, derElement(TAG.null)), writeRsaPrivateKey(numbers));
}

/** A prime as the faulty library of ROCA makes it: k·M + (65537^a mod M), M the product of the first 126 primes. */
export function rocaPrime(bits: number): bigint {
  const product = firstPrimes(126).reduce((m, small) => m * BigInt(small), 1n);
  for (;;) {
    const a = BigInt(Math.floor(Math.random() * 2 ** 50));
    const remainder = power(F4, a, product);
    const least = (3n << BigInt(bits - 2)) / product + 1n;
    for (let k = least; k < least + 2000n; k += 1n) {
      const candidate = k * product + remainder;
      if (candidate >> BigInt(bits) === 0n && isProbablePrime(candidate)) return candidate;
    }
  }
}

export function inverse(value: bigint, modulus: bigint): bigint {
  let [r, next] = [modulus, value % modulus];
  let [t, nextT] = [0n, 1n];
  while (next !== 0n) {
    const quotient = r / next;
    [r, next] = [next, r - quotient * next];
    [t, nextT] = [nextT, t - quotient * nextT];
  }
  if (r !== 1n) throw new RangeError('there is no inverse');
  return ((t % modulus) + modulus) % modulus;
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let b = base % modulus, e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus) {
    if ((e & 1n) === 1n) result = (result * b) % modulus;
  }
  return result;
}

/** Fermat's test to one base: enough to find candidates, which the caller's own tests look at again. */
function isProbablePrime(candidate: bigint): boolean {
  return (
    firstPrimes(400).every((small) => candidate % BigInt(small) !== 0n) && power(2n, candidate - 1n, candidate) === 1n
  );
}

function firstPrimes(count: number): readonly number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n += 1) if (primes.every((p) => n % p !== 0)) primes.push(n);
  return primes;
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b);
}
