import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { startServerProcess } from './server-process.ts';
import { tempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';

const READY_LIMIT_MS = 120_000;
const PROBE_LIMIT_MS = 2000;
const SOURCE_ENTRY = fileURLToPath(new URL('../../../apps/kms-service/src/main.ts', import.meta.url));

/** What `npm start` and the image give to Node.js before the program. */
const NODE_ARGS = ['--max-semi-space-size=16', '--disable-warning=ExperimentalWarning'];

/** The program of the service: the bundle that `TEST_SERVICE_ENTRY` names, or else its sources. */
export function serviceEntry(): string {
  return process.env['TEST_SERVICE_ENTRY'] ?? SOURCE_ENTRY;
}

/** All that tests ask comes from one address, and many ask with what was revoked. */
const ONE_ADDRESS = { KMS_LIMIT_FAILED_AUTHENTICATIONS_PER_SECOND: '0' };

export interface ServiceOptions {
  /** The whole environment of the service, but for PATH and, when it names none, PORT, and no limit of failed authentications. */
  readonly env: Readonly<Record<string, string>>;
  /** For Node.js, beside those of `npm start`, which it gets for the service alone. */
  readonly nodeArgs?: readonly string[];
  /** Another program than the service; tests of this function use it. */
  readonly entry?: string;
  /** Whether it is ready, for a service that cannot be asked by HTTP in the clear on its port. */
  readonly isReady?: (port: number) => Promise<boolean>;
}

export interface Service {
  readonly baseUrl: string;
  /** What it was started with, for its replacement. */
  readonly env: ServiceOptions['env'];
  readonly port: number;
  readonly child: ChildProcess;
  logs(): string;
  /** Asks it to end by SIGTERM and waits until it has. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
  /** Halts it: it keeps its connections but does nothing, until `sigcont`. */
  sigstop(): void;
  sigcont(): void;
}

function argumentsOf({ entry, nodeArgs = [] }: ServiceOptions): readonly string[] {
  return entry === undefined ? [...NODE_ARGS, ...nodeArgs, serviceEntry()] : [...nodeArgs, entry];
}

function isReady(baseUrl: string): Promise<boolean> {
  // A service that stops waits a while for connections that are kept open.
  const headers = { connection: 'close' };
  return fetch(`${baseUrl}/readyz`, { headers, signal: AbortSignal.timeout(PROBE_LIMIT_MS) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status === 200;
    },
    () => false,
  );
}

/** Starts the service and waits until it is ready. Its authority is to be trusted where it speaks TLS. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const port = Number(options.env['PORT'] ?? (await freePort()));
  const scheme = options.env['KMS_TLS_CERT_FILE'] === undefined ? 'http' : 'https';
  const baseUrl = `${scheme}://127.0.0.1:${port}`;
  const home = tempDir('qnsp-service-');
  const server = await startServerProcess({
    command: {
      file: process.execPath,
      args: argumentsOf(options),
    },
    deathSignal: 'SIGKILL',
    cwd: home.path,
    env: { PATH: process.env['PATH'], PORT: String(port), ...ONE_ADDRESS, ...options.env },
  });
  const endBy = async (end: () => Promise<void>): Promise<void> => {
    if (server.isRunning()) await end();
    await home.remove();
  };
  try {
    await waitUntil({
      isReady: () => (options.isReady === undefined ? isReady(baseUrl) : options.isReady(port)),
      hasFailed: () => !server.isRunning(),
      describeFailure: () => `The service did not become ready:\n${server.logs()}`,
      limitMs: READY_LIMIT_MS,
    });
  } catch (error) {
    await endBy(() => server.kill9());
    throw error;
  }
  return {
    baseUrl,
    env: options.env,
    port,
    child: server.child,
    logs: () => server.logs(),
    stop: () => endBy(() => server.stop()),
    kill9: () => endBy(() => server.kill9()),
    sigstop: () => {
      server.sigstop();
    },
    sigcont: () => {
      server.sigcont();
    },
  };
}
