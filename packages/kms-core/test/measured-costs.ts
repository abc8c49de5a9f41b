import { createCipheriv, randomBytes } from 'node:crypto';
import type { KeyWork } from '../src/algorithms/costs.ts';
import type { Algorithm } from '../src/algorithms/registry.ts';
import { algorithmById } from '../src/algorithms/resolve.ts';
import { acceptImported } from '../src/engines/imported-material.ts';
import { pairwiseTest } from '../src/engines/pairwise-test.ts';
import { softwareEngine } from '../src/engines/software-engine.ts';
import { generateMaterial, loadMaterial } from '../src/engines/software-material.ts';
import { complete } from './crypto-samples.ts';

const HEADER = Buffer.alloc(22);
const NO_BYTES = Buffer.alloc(0);
const MESSAGE = randomBytes(1024);
/** RSA seals no more than its padding leaves room for. */
const SHORT_MESSAGE = MESSAGE.subarray(0, 64);

type Step = () => unknown;

/** The processor time that one step takes, on all threads, in microseconds. */
async function timeOf(step: Step, atLeastMs: number, atLeastRuns = 1): Promise<number> {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  let runs = 0;
  do {
    const done = step();
    if (done instanceof Promise) await done;
    runs += 1;
  } while (runs < atLeastRuns || performance.now() - startedAt < atLeastMs);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / runs;
}

const AES = algorithmById('aes-256-gcm');
const aesEngine = complete(softwareEngine(AES, loadMaterial(AES, randomBytes(32))));
const sealOnce: Step = () => aesEngine.seal(HEADER, NO_BYTES, MESSAGE);

/** How much more processor time a step takes than sealing 1 KiB with AES-256-GCM takes at the same moment: the median of some rounds. */
async function inSeals(step: Step, { ms = 40, runs = 1, rounds = 5 } = {}): Promise<number> {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = await timeOf(sealOnce, 15);
    const taken = await timeOf(step, ms, runs);
    ratios.push((2 * taken) / (before + (await timeOf(sealOnce, 15))));
  }
  return ratios.sort((one, other) => one - other)[Math.floor(rounds / 2)] ?? 0;
}

/** What each kind of work with keys of an algorithm takes, measured against one seal with AES-256-GCM. */
export async function measuredCosts(algorithm: Algorithm): Promise<Partial<Record<KeyWork, number>>> {
  // What the compiler makes of it in the beginning is not what a service runs.
  await timeOf(sealOnce, 100, 5000);
  const { secret, publicKey } = await generateMaterial(algorithm);
  const engine = softwareEngine(algorithm, loadMaterial(algorithm, secret));
  const message = algorithm.family === 'rsa' ? SHORT_MESSAGE : MESSAGE;
  const costs: Partial<Record<KeyWork, number>> = {};
  const made = complete(engine);
  costs.accept = await inSeals(() => acceptImported(algorithm, Buffer.from(secret)));
  if (!algorithm.importOnly)
    costs.generate = await inSeals(
      async () => {
        const fresh = await generateMaterial(algorithm);
        if (fresh.publicKey !== null)
          await pairwiseTest(softwareEngine(algorithm, loadMaterial(algorithm, fresh.secret)));
      },
      // How long it takes to find two primes is a matter of luck.
      algorithm.family === 'rsa' ? { runs: 12, rounds: 1 } : {},
    );
  if (engine.seal !== undefined) {
    costs.seal = await inSeals(() => made.seal(HEADER, NO_BYTES, message));
    const sealed = await made.seal(HEADER, NO_BYTES, message);
    costs.open = await inSeals(() => made.open(sealed, NO_BYTES));
  }
  if (engine.openLegacy !== undefined) {
    const iv = randomBytes(16);
    const cipher = createCipheriv('aes-256-cbc', secret, iv);
    const sealed = Buffer.concat([iv, cipher.update(MESSAGE), cipher.final()]);
    costs.open = await inSeals(() => made.openLegacy(sealed));
  }
  if (engine.sign !== undefined) {
    costs.sign = await inSeals(() => made.sign(MESSAGE, {}));
    const signature = await made.sign(MESSAGE, {});
    costs.verify = await inSeals(() => made.verify(MESSAGE, signature, {}));
  }
  if (engine.mac !== undefined) {
    costs.mac = await inSeals(() => made.mac(MESSAGE));
    const mac = await made.mac(MESSAGE);
    costs.verifyMac = await inSeals(() => made.verifyMac(MESSAGE, mac));
  }
  if (engine.encapsulate !== undefined) {
    costs.encapsulate = await inSeals(() => made.encapsulate());
    const { ciphertext } = await made.encapsulate();
    costs.decapsulate = await inSeals(() => made.decapsulate(ciphertext));
  }
  if (engine.agree !== undefined && publicKey !== null) costs.agree = await inSeals(() => made.agree(publicKey));
  return costs;
}
