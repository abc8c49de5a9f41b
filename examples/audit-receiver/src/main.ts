import { readFileSync } from 'node:fs';
import { makeReceiver } from './receiver.ts';

const {
  AUDIT_BEARER_TOKEN = '',
  AUDIT_PUBLIC_KEY_FILE = '',
  AUDIT_DIRECTORY = './evidence',
  HOST,
  PORT = '8096',
} = process.env;
if (AUDIT_BEARER_TOKEN === '' || AUDIT_PUBLIC_KEY_FILE === '') {
  process.stderr.write(
    'AUDIT_BEARER_TOKEN and AUDIT_PUBLIC_KEY_FILE are needed; AUDIT_DIRECTORY, HOST and PORT may be set.\n',
  );
  process.exit(78);
}
const server = makeReceiver({
  bearerToken: AUDIT_BEARER_TOKEN,
  publicKeyPem: readFileSync(AUDIT_PUBLIC_KEY_FILE, 'utf8'),
  directory: AUDIT_DIRECTORY,
});
server.listen(Number(PORT), HOST ?? '127.0.0.1', () => process.stdout.write(`takes evidence on port ${PORT}\n`));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => server.close(() => process.exit(0)));
