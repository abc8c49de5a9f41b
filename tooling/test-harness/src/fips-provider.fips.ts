import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findFipsProvider } from './fips-provider.ts';
import { tempDir } from './temp-dir.ts';

const directory = tempDir('qnsp-fips-');
afterAll(() => directory.remove());

/** The configuration as one writes it by hand. */
function configuration(module: string): string {
  return `nodejs_conf = init
openssl_conf = init
.include ${join(dirname(module), 'fipsmodule.cnf')}
[init]
providers = providers
alg_section = algorithms
[providers]
fips = fips_sect
base = base
[base]
activate = 1
[algorithms]
default_properties = fips=yes
`;
}

/** Programs that each do one thing with node:crypto, and whether FIPS 140-3 approves of it. */
const APPROVED = {
  'SHA-256': "createHash('sha256').update('').digest()",
  'SHA3-256': "createHash('sha3-256').update('').digest()",
  'AES-256-GCM': "createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12)).final()",
  'AES-KWP': "createCipheriv('id-aes256-wrap-pad', Buffer.alloc(32), Buffer.from('a65959a6', 'hex')).update('k')",
  ECDSA: "sign('sha256', Buffer.alloc(1), generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)",
  Ed25519: "sign(null, Buffer.alloc(1), generateKeyPairSync('ed25519').privateKey)",
  'ML-KEM-768': "encapsulate(generateKeyPairSync('ml-kem-768').publicKey)",
  'ML-DSA-65': "sign(null, Buffer.alloc(1), generateKeyPairSync('ml-dsa-65').privateKey)",
  'SLH-DSA': "sign(null, Buffer.alloc(1), generateKeyPairSync('slh-dsa-sha2-128f').privateKey)",
};
const NOT_APPROVED = {
  MD5: "createHash('md5').update('').digest()",
  'ChaCha20-Poly1305': "createCipheriv('chacha20-poly1305', Buffer.alloc(32), Buffer.alloc(12), { authTagLength: 16 })",
  X25519: "generateKeyPairSync('x25519')",
};

test('the runtime takes the provider, does what is approved with it, and nothing else', async () => {
  const module = await findFipsProvider();
  const file = join(directory.path, 'openssl.cnf');
  writeFileSync(file, configuration(module));
  const programs = Object.entries({ ...APPROVED, ...NOT_APPROVED }).map(
    ([name, code]) => `try { ${code}; done.push('${name}') } catch {}`,
  );
  const script = `const { createCipheriv, createHash, encapsulate, generateKeyPairSync, getFips, sign } = require('node:crypto');
    const done = []; ${programs.join('\n')}
    console.log(JSON.stringify({ fips: getFips(), done }))`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [`--openssl-config=${file}`, '--force-fips=strict', '-e', script],
    { encoding: 'utf8', env: { OPENSSL_MODULES: dirname(module) } },
  );
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ fips: 1, done: Object.keys(APPROVED) });
});
