import { spawnSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { algorithmById } from '../src/algorithms/resolve.ts';
import type { SignatureOptions } from '../src/engines/engine.ts';
import { flipBit, freshKey } from './crypto-samples.ts';

const OPENSSL = 'openssl';
const version = /^OpenSSL (\d+)\.(\d+)/.exec(spawnSync(OPENSSL, ['version'], { encoding: 'utf8' }).stdout ?? '');
const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)];
const classical = major >= 3;
const postQuantum = major > 3 || (major === 3 && minor >= 5);
const MESSAGE = Buffer.from('signed by the engine, verified by the command line');

const PSS = ['rsa_padding_mode:pss', 'rsa_pss_saltlen:32', 'rsa_mgf1_md:sha256'].flatMap((option) => [
  '-pkeyopt',
  option,
]);
const CASES: readonly (readonly [id: string, options: SignatureOptions, hash: readonly string[]])[] = [
  ['ed25519', {}, []],
  ['ecdsa-p256', {}, ['-digest', 'sha256']],
  ['ecdsa-p384', {}, ['-digest', 'sha384']],
  ['rsa-2048', {}, ['-digest', 'sha256', ...PSS]],
  ['rsa-2048', { scheme: 'pkcs1-v1_5' }, ['-digest', 'sha256']],
  ['rsa-3072', {}, ['-digest', 'sha256', ...PSS]],
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qnsp-kms-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Whether the command line accepts the signature under the exported public key. */
function accepts(spki: Uint8Array, signature: Uint8Array, options: readonly string[]): boolean {
  const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  writeFileSync(join(folder, 'key.pem'), key.export({ format: 'pem', type: 'spki' }));
  writeFileSync(join(folder, 'message'), MESSAGE);
  writeFileSync(join(folder, 'signature'), signature);
  const files = ['-inkey', 'key.pem', '-in', 'message', '-sigfile', 'signature'];
  const run = spawnSync(OPENSSL, ['pkeyutl', '-verify', '-pubin', '-rawin', ...files, ...options], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (!/Signature Verified Successfully|Signature Verification Failure/.test(run.stdout + run.stderr)) {
    throw new Error(`openssl did not answer: ${run.stderr}`);
  }
  return run.status === 0;
}

describe.skipIf(!classical)('the openssl command line accepts a signature under the exported public key', () => {
  test.each(CASES)('of %s with %o', async (id, options, hash) => {
    const { engine, publicKey } = await freshKey(algorithmById(id));
    const signature = await engine.sign(MESSAGE, options);
    expect(accepts(publicKey, signature, hash)).toBe(true);
    expect(accepts(publicKey, flipBit(signature, signature.length * 8 - 1), hash)).toBe(false);
  });

  test.skipIf(!postQuantum).each(['dilithium-2', 'dilithium-3', 'dilithium-5', 'sphincs-sha2-128f-simple'])(
    'of %s',
    async (id) => {
      const { engine, publicKey } = await freshKey(algorithmById(id));
      const signature = await engine.sign(MESSAGE, {});
      expect(accepts(publicKey, signature, [])).toBe(true);
      expect(accepts(publicKey, flipBit(signature, 300), [])).toBe(false);
    },
  );

  test('but not for another message', async () => {
    const { engine, publicKey } = await freshKey(algorithmById('ed25519'));
    expect(accepts(publicKey, await engine.sign(Buffer.from('another'), {}), [])).toBe(false);
  });
});
