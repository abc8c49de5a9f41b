import { createServer } from 'node:net';

const DEFAULT_PORT = 8095;
const LARGEST_PORT = 65_535;

function listen(port, host) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(error.code));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

/**
 * Why the service would not get its port, before anything is installed for it; undefined if it would, or if the service
 * itself will say what is wrong with its settings.
 */
export async function portProblem(environment) {
  const port = environment.PORT ? Number(environment.PORT) : DEFAULT_PORT;
  if (!Number.isInteger(port) || port < 1 || port > LARGEST_PORT) return undefined;
  const host = environment.HOST || '127.0.0.1';
  const code = await listen(port, host);
  if (code !== 'EADDRINUSE' && code !== 'EACCES') return undefined;
  const reason = code === 'EADDRINUSE' ? 'is taken by another program' : 'may not be listened on by this user';
  return `Port ${port} ${reason}. Choose another one:\n\n  PORT=${await freePort(host)} npm start\n`;
}

async function freePort(host) {
  for (let port = DEFAULT_PORT + 1; port < DEFAULT_PORT + 100; port += 1)
    if ((await listen(port, host)) === undefined) return port;
  return 0;
}
