import { createHash, createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { Algorithm } from '../algorithms/registry.ts';
import { openAead, sealAead } from '../engines/aead.ts';
import type { KeyEngine, SignatureOptions } from '../engines/engine.ts';
import { xWingPublicKey } from '../engines/kem.ts';
import { pairwiseTest } from '../engines/pairwise-test.ts';
import { signatureEngine } from '../engines/signature-engine.ts';
import { softwareEngine } from '../engines/software-engine.ts';
import { type LoadedMaterial, loadMaterial } from '../engines/software-material.ts';
import { Xaes256Gcm } from '../engines/xaes-256-gcm.ts';
import type { KnownAnswer } from './known-answer.ts';

type Answer<Kind extends KnownAnswer['kind']> = Extract<KnownAnswer, { kind: Kind }>;

/** Runs one known answer through the engine of its algorithm. Throws, saying what differs, unless everything fits. */
export async function runKnownAnswer(algorithm: Algorithm, answer: KnownAnswer): Promise<void> {
  switch (answer.kind) {
    case 'aead':
      return runAead(algorithm, answer);
    case 'legacy-cipher':
      return runLegacyCipher(algorithm, answer);
    case 'mac':
      return runMac(algorithm, answer);
    case 'signature':
      return runSignature(algorithm, answer);
    case 'seed-signature':
      return runSeedSignature(algorithm, answer);
    case 'verification':
      return runVerification(algorithm, answer);
    case 'agreement':
      return runAgreement(algorithm, answer);
    case 'kem':
      return runKem(algorithm, answer);
  }
}

const NO_PREFIX = Buffer.alloc(0);

async function runAead(algorithm: Algorithm, answer: Answer<'aead'>): Promise<void> {
  const key = createSecretKey(bytes(answer.key));
  const nonce = bytes(answer.nonce);
  const aad = [bytes(answer.aad)];
  const plaintext = bytes(answer.plaintext);
  if (algorithm.suite === 1) {
    const xaes = new Xaes256Gcm(key, (target, at) => target.set(nonce, at));
    assertEqual(xaes.seal(NO_PREFIX, aad, plaintext).subarray(nonce.length), answer.sealed, 'ciphertext');
    assertEqual(xaes.open(Buffer.concat([nonce, bytes(answer.sealed)]), aad), answer.plaintext, 'plaintext');
  } else {
    const cipher = algorithm.suite === 2 ? 'aes-128-gcm' : 'chacha20-poly1305';
    assertEqual(Buffer.concat(sealAead(cipher, key, nonce, aad, plaintext)), answer.sealed, 'ciphertext');
    assertEqual(openAead(cipher, key, nonce, bytes(answer.sealed), aad), answer.plaintext, 'plaintext');
  }
  await pairwiseTest(softwareEngine(algorithm, { key, publicKey: null }));
}

async function runLegacyCipher(algorithm: Algorithm, answer: Answer<'legacy-cipher'>): Promise<void> {
  const engine = softwareEngine(algorithm, loadMaterial(algorithm, bytes(answer.key)));
  assertEqual(await engine.openLegacy?.(bytes(answer.ciphertext)), answer.plaintext, 'plaintext');
}

async function runMac(algorithm: Algorithm, answer: Answer<'mac'>): Promise<void> {
  const engine = softwareEngine(algorithm, loadMaterial(algorithm, bytes(answer.key)));
  const message = bytes(answer.message);
  assertEqual(await engine.mac?.(message), answer.mac, 'MAC');
  if ((await engine.verifyMac?.(message, bytes(answer.mac))) !== true) throw new Error('the MAC does not verify');
  if ((await engine.verifyMac?.(message, flipped(bytes(answer.mac)))) !== false)
    throw new Error('a wrong MAC verifies');
}

async function runSignature(algorithm: Algorithm, answer: Answer<'signature'>): Promise<void> {
  const engine = softwareEngine(algorithm, loadMaterial(algorithm, bytes(answer.privateKey)));
  const options: SignatureOptions = answer.scheme === undefined ? {} : { scheme: answer.scheme };
  if (answer.deterministic)
    assertEqual(await engine.sign?.(bytes(answer.message), options), answer.signature, 'signature');
  await assertVerifies(engine, bytes(answer.message), bytes(answer.signature), options);
  await pairwiseTest(engine);
}

async function runSeedSignature(algorithm: Algorithm, answer: Answer<'seed-signature'>): Promise<void> {
  const material = pairFromSeed(algorithm, bytes(answer.seed), answer.publicKeyDigest);
  const engine = softwareEngine(algorithm, material);
  await assertVerifies(engine, bytes(answer.message), bytes(answer.signature), { context: bytes(answer.context) });
  await pairwiseTest(engine);
}

async function runVerification(algorithm: Algorithm, answer: Answer<'verification'>): Promise<void> {
  const key = bytes(answer.publicKey);
  const publicKey = createPublicKey({ key, format: 'raw-public', asymmetricKeyType: nodeKeyType(algorithm) });
  // Only the verifying half of the engine runs, so that it needs no private key.
  const engine = signatureEngine(algorithm, publicKey, publicKey);
  await assertVerifies(engine, bytes(answer.message), bytes(answer.signature), { context: bytes(answer.context) });
}

async function runAgreement(algorithm: Algorithm, answer: Answer<'agreement'>): Promise<void> {
  const engine = softwareEngine(algorithm, loadMaterial(algorithm, bytes(answer.privateKey)));
  assertEqual(await engine.agree?.(bytes(answer.peerPublicKey)), answer.sharedSecret, 'shared secret');
}

async function runKem(algorithm: Algorithm, answer: Answer<'kem'>): Promise<void> {
  const material =
    algorithm.form.kind === 'x-wing'
      ? xWingMaterial(answer)
      : pairFromSeed(algorithm, bytes(answer.seed), answer.publicKeyDigest);
  const engine = softwareEngine(algorithm, material);
  assertEqual(await engine.decapsulate?.(bytes(answer.ciphertext)), answer.sharedSecret, 'shared secret');
  await pairwiseTest(engine);
}

function xWingMaterial(answer: Answer<'kem'>): LoadedMaterial {
  const seed = bytes(answer.seed);
  assertEqual(sha256(xWingPublicKey(seed)), answer.publicKeyDigest, 'public key');
  return { key: createSecretKey(seed), publicKey: null };
}

function pairFromSeed(
  algorithm: Algorithm,
  seed: Buffer,
  publicKeyDigest: string,
): LoadedMaterial & { publicKey: KeyObject } {
  const key = createPrivateKey({ key: seed, format: 'raw-seed', asymmetricKeyType: nodeKeyType(algorithm) });
  const publicKey = createPublicKey(key);
  assertEqual(sha256(publicKey.export({ format: 'raw-public' })), publicKeyDigest, 'public key');
  return { key, publicKey };
}

function nodeKeyType(algorithm: Algorithm): 'ml-dsa-65' {
  if (algorithm.form.kind !== 'node-key') throw new TypeError(`${algorithm.id} has no raw key`);
  // The types of Node name each key type alone; at run time they are one call.
  return algorithm.form.keyType as 'ml-dsa-65';
}

/** Accepts the published signature and refuses it with one bit changed: a verifier that says yes to all is caught too. */
async function assertVerifies(
  engine: Pick<KeyEngine, 'verify'>,
  message: Buffer,
  signature: Buffer,
  options: SignatureOptions,
): Promise<void> {
  if ((await engine.verify?.(message, signature, options)) !== true) throw new Error('the signature does not verify');
  if ((await engine.verify?.(message, flipped(signature), options)) !== false)
    throw new Error('a wrong signature verifies');
}

function assertEqual(actual: Uint8Array | undefined, expected: string, what: string): void {
  if (actual === undefined) throw new Error(`the engine makes no ${what}`);
  if (Buffer.compare(actual, bytes(expected)) !== 0) throw new Error(`the ${what} is not the published one`);
}

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

function flipped(data: Buffer): Buffer {
  const copy = Buffer.from(data);
  const last = copy.length - 1;
  copy[last] = (copy[last] ?? 0) ^ 1;
  return copy;
}

function bytes(base64: string): Buffer {
  return Buffer.from(base64, 'base64');
}
