/** The first primes that the moduli of the faulty library tell about; those up to 167 leave one false alarm in 2^27. */
const PRIMES: readonly number[] = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
  127, 131, 137, 139, 149, 151, 157, 163, 167,
];
const GENERATOR = 65_537;

/**
 * Whether a modulus has the fingerprint of ROCA (CVE-2017-15361): primes of the form `k·M + (65537^a mod M)`, with `M` a
 * product of small primes, can be found from the modulus. Then the modulus is a power of 65537 modulo each of those.
 */
export function hasRocaFingerprint(modulus: bigint): boolean {
  return PRIMES.every((prime) => powersOfGenerator(prime).has(Number(modulus % BigInt(prime))));
}

function powersOfGenerator(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * GENERATOR) % prime) powers.add(power);
  return powers;
}
