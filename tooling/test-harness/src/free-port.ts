import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range from which systems pick the ports of outgoing connections, so none of those takes it in the meantime.
const LOWEST = 20_000;
const HIGHEST = 32_000;
const ATTEMPTS = 50;

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/** A TCP port of the loopback address on which nothing listens. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await canListen(port)) return port;
  }
  throw new Error(`Found no free port in ${ATTEMPTS} attempts`);
}
