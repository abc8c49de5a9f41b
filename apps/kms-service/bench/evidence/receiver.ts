import { createServer } from 'node:http';
import { makeReceiver } from '@qnsp/example-audit-receiver';

/** The example receiver as a process of its own, which says when it is ready as the service does. */
const { PORT = '', AUDIT_BEARER_TOKEN = '', AUDIT_PUBLIC_KEY_PEM = '' } = process.env;
const receiver = makeReceiver({
  bearerToken: AUDIT_BEARER_TOKEN,
  publicKeyPem: AUDIT_PUBLIC_KEY_PEM,
  directory: './evidence',
});
createServer((request, response) => {
  if (request.url === '/readyz') response.end();
  else receiver.emit('request', request, response);
}).listen(Number(PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
