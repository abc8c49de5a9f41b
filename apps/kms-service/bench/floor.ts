import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto';
import { createServer } from 'node:http';

/**
 * The floor that the service is measured against: a bare `node:http` server that reads the same JSON, does the same
 * cryptography and answers the same JSON, without authentication, validation, routing, logs or metrics.
 */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID = '0198f2a5-0c1d-7e2f-8a4e-d3b4c5d6e7f8';

const key = randomBytes(32);
const ed25519 = generateKeyPairSync('ed25519').privateKey;
const p256 = createPrivateKey(
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' }),
);

interface Fields {
  readonly plaintext: string;
  readonly ciphertext: string;
  readonly data: string;
  readonly items: readonly Fields[];
}

function encrypt({ plaintext }: Fields): object {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const body = cipher.update(Buffer.from(plaintext, 'base64'));
  cipher.final();
  const ciphertext = Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64');
  return { ciphertext, keyId: KEY_ID, keyVersion: 1, algorithm: 'aes-256-gcm' };
}

function decrypt({ ciphertext }: Fields): object {
  const sealed = Buffer.from(ciphertext, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES));
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
  decipher.final();
  return { plaintext: plaintext.toString('base64'), keyId: KEY_ID, keyVersion: 1 };
}

function signer(privateKey: typeof ed25519, digest: string | null, algorithm: string): (fields: Fields) => object {
  return ({ data }) => ({
    signature: sign(digest, Buffer.from(data, 'base64'), privateKey).toString('base64'),
    keyId: KEY_ID,
    keyVersion: 1,
    algorithm,
  });
}

const WORK: Readonly<Record<string, (fields: Fields) => object>> = {
  '/encrypt': encrypt,
  '/encrypt-batch': ({ items }) => ({ items: items.map(encrypt) }),
  '/decrypt': decrypt,
  '/sign-ed25519': signer(ed25519, null, 'ed25519'),
  '/sign-ecdsa-p256': signer(p256, 'sha256', 'ecdsa-p256'),
};

createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString('utf8');
    // Only the benchmark talks to it, and sends what the work takes.
    const answer = text === '' ? {} : WORK[request.url ?? '']?.(JSON.parse(text) as Fields);
    const body = JSON.stringify(answer);
    response.writeHead(answer === undefined ? 404 : 200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body ?? ''),
    });
    response.end(body);
  });
}).listen(Number(process.env['PORT']), '127.0.0.1');
