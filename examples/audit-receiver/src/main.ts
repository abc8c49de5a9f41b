import { readFileSync } from 'node:fs';
import { makeReceiver } from './receiver.ts';

const {
  AUDIT_BEARER_TOKEN_FILE = '',
  AUDIT_PUBLIC_KEY_FILE = '',
  AUDIT_DIRECTORY = './evidence',
  HOST,
  PORT = '8096',
} = process.env;
const bearerToken =
  AUDIT_BEARER_TOKEN_FILE === ''
    ? (process.env['AUDIT_BEARER_TOKEN'] ?? '')
    : readFileSync(AUDIT_BEARER_TOKEN_FILE, 'utf8').trim();
if (bearerToken === '' || AUDIT_PUBLIC_KEY_FILE === '') {
  process.stderr.write(
    'AUDIT_BEARER_TOKEN, or AUDIT_BEARER_TOKEN_FILE, and AUDIT_PUBLIC_KEY_FILE are needed; AUDIT_DIRECTORY, HOST and PORT may be set.\n',
  );
  process.exit(78);
}
const server = makeReceiver({
  bearerToken,
  publicKeyPem: readFileSync(AUDIT_PUBLIC_KEY_FILE, 'utf8'),
  directory: AUDIT_DIRECTORY,
});
server.listen(Number(PORT), HOST ?? '127.0.0.1', () => process.stdout.write(`takes evidence on port ${PORT}\n`));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => server.close(() => process.exit(0)));
