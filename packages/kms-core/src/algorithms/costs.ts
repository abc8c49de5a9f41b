import type { AgreementId, CipherId, KemId, LegacyCipherId, MacId, RsaId, SignatureId } from './algorithm-id.ts';
import type { Algorithm } from './registry.ts';
import type { CryptoOperation } from './crypto-operation.ts';

/**
 * The kinds of work that a key of an algorithm makes: `generate` makes a key and tries it out, `accept` checks an imported one, the others
 * are the methods of its engine. Old data of another system is opened like any other.
 */
export type KeyWork =
  | 'generate'
  | 'accept'
  | 'seal'
  | 'open'
  | 'sign'
  | 'verify'
  | 'mac'
  | 'verifyMac'
  | 'encapsulate'
  | 'decapsulate'
  | 'agree';

type Costs<Work extends KeyWork> = Readonly<Record<'generate' | 'accept' | Work, number>>;
type Sealing = Costs<'seal' | 'open'>;
type Signing = Costs<'sign' | 'verify'>;

/** Every algorithm of the registry with all the work that its keys can make: the compiler asks for what is missing. */
type CostTable = Readonly<
  Record<CipherId, Sealing> &
    Record<LegacyCipherId, Pick<Costs<'open'>, 'accept' | 'open'>> &
    Record<MacId, Costs<'mac' | 'verifyMac'>> &
    Record<SignatureId, Signing> &
    Record<RsaId, Sealing & Signing> &
    Record<AgreementId, Costs<'agree'>> &
    Record<KemId, Sealing & Costs<'encapsulate' | 'decapsulate'>>
>;

/** A key of a few random bytes. */
const SECRET = { generate: 1, accept: 1 };

function slhDsa(sign: number, verify: number): Signing {
  // What a new key is tried out with is nearly all that making or importing one takes.
  return { generate: sign + verify, accept: sign + verify, sign, verify };
}

/**
 * What work costs in units: one is sealing 1 KiB with AES-256-GCM, and so is anything cheaper. Measured in processor time, and stated
 * here so that they are the same on all nodes and from day to day; `costs.release.ts` measures them again.
 */
const COSTS: CostTable = {
  'aes-256-gcm': { ...SECRET, seal: 1, open: 1 },
  'aes-128-gcm': { ...SECRET, seal: 1, open: 1 },
  'chacha20-poly1305': { ...SECRET, seal: 1, open: 1 },
  'aes-256-cbc': { accept: 1, open: 1 },
  'hmac-sha256': { ...SECRET, mac: 1, verifyMac: 1 },
  'hmac-sha384': { ...SECRET, mac: 1, verifyMac: 1 },
  'hmac-sha512': { ...SECRET, mac: 1, verifyMac: 1 },
  'hmac-sha3-256': { ...SECRET, mac: 1, verifyMac: 1 },
  ed25519: { generate: 50, accept: 45, sign: 5, verify: 12 },
  'ecdsa-p256': { generate: 70, accept: 50, sign: 4, verify: 8 },
  'ecdsa-p384': { generate: 350, accept: 300, sign: 95, verify: 75 },
  'rsa-2048': { generate: 6000, accept: 7000, seal: 7, open: 75, sign: 100, verify: 13 },
  'rsa-3072': { generate: 20_000, accept: 16_000, seal: 9, open: 230, sign: 250, verify: 14 },
  'rsa-4096': { generate: 55_000, accept: 38_000, seal: 10, open: 490, sign: 530, verify: 18 },
  x25519: { generate: 20, accept: 28, agree: 10 },
  'ecdh-p256': { generate: 50, accept: 35, agree: 11 },
  'kyber-512': { generate: 48, accept: 40, seal: 7, open: 7, encapsulate: 3, decapsulate: 3 },
  'kyber-768': { generate: 60, accept: 54, seal: 7, open: 9, encapsulate: 4, decapsulate: 5 },
  'kyber-1024': { generate: 65, accept: 64, seal: 9, open: 11, encapsulate: 4, decapsulate: 6 },
  'dilithium-2': { generate: 160, accept: 180, sign: 60, verify: 22 },
  'dilithium-3': { generate: 220, accept: 300, sign: 140, verify: 38 },
  'dilithium-5': { generate: 320, accept: 320, sign: 170, verify: 50 },
  'sphincs-sha2-128f-simple': slhDsa(1600, 130),
  'sphincs-sha2-128s-simple': slhDsa(34_000, 65),
  'sphincs-sha2-192f-simple': slhDsa(3500, 280),
  'sphincs-sha2-192s-simple': slhDsa(66_000, 85),
  'sphincs-sha2-256f-simple': slhDsa(6000, 170),
  'sphincs-sha2-256s-simple': slhDsa(57_000, 110),
  'sphincs-shake-128f-simple': slhDsa(5800, 400),
  'sphincs-shake-128s-simple': slhDsa(83_000, 140),
  'sphincs-shake-192f-simple': slhDsa(8500, 400),
  'sphincs-shake-192s-simple': slhDsa(170_000, 160),
  'sphincs-shake-256f-simple': slhDsa(20_000, 600),
  'sphincs-shake-256s-simple': slhDsa(120_000, 180),
  'x25519-kyber-768': { generate: 80, accept: 20, seal: 18, open: 15, encapsulate: 14, decapsulate: 11 },
};

/** The work of an operation that uses a key; of a re-encryption its sealing half. */
const WORK: Readonly<Record<CryptoOperation, KeyWork>> = {
  encrypt: 'seal',
  decrypt: 'open',
  reencrypt: 'seal',
  sign: 'sign',
  verify: 'verify',
  wrap: 'seal',
  unwrap: 'open',
  'data-key': 'seal',
  mac: 'mac',
  'mac-verify': 'verifyMac',
  encapsulate: 'encapsulate',
  decapsulate: 'decapsulate',
  derive: 'agree',
};

/** What work costs with keys of an algorithm, in units; `undefined` for work that they cannot do. */
export function costOfWork({ id }: Pick<Algorithm, 'id'>, work: KeyWork): number | undefined {
  // By the id of every algorithm: one that the table lacks does not compile.
  const costs: Partial<Readonly<Record<KeyWork, number>>> = COSTS[id];
  return costs[work];
}

/** Work of this many units takes long enough to hold up every other request: it runs on the thread pool, as a job. */
const SLOW_UNITS = 50;

/** Whether work with keys of an algorithm runs on the thread pool, where it is a job among others. */
export function isSlow(algorithm: Pick<Algorithm, 'id'>, work: 'sign' | 'verify' | 'open'): boolean {
  // Where signing is slow, verifying is on the pool as well: a flood of it would hold up as much.
  return (costOfWork(algorithm, work === 'verify' ? 'sign' : work) ?? 0) >= SLOW_UNITS;
}

/** What using a key of an algorithm once costs, in units: at least one, as for what its algorithm turns out not to do. */
export function costOfUse(algorithm: Pick<Algorithm, 'id'>, operation: CryptoOperation): number {
  return costOfWork(algorithm, WORK[operation]) ?? 1;
}
