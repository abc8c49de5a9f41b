import { generateKeyPairSync } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeReceiver } from '@qnsp/example-audit-receiver';
import { tempDir } from '@qnsp/test-harness';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
export const SIGNING_KEY_PEM = privateKey.export({ format: 'pem', type: 'pkcs8' });
export const PUBLIC_KEY_PEM = publicKey.export({ format: 'pem', type: 'spki' });
export const BEARER_TOKEN = 'audit-token-of-a-test';

export interface Receiver {
  readonly url: string;
  /** The evidence of a tenant as the receiver stored it, line by line. */
  lines(tenantId: string): string[];
  /** Where its files are. */
  readonly directory: string;
  readonly server: Server;
  /** Ends it, and starts one that knows only its files, at the same address. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** The example receiver, in this process. */
export async function startReceiver(): Promise<Receiver> {
  const directory = tempDir('qnsp-evidence-');
  const make = () =>
    makeReceiver({ bearerToken: BEARER_TOKEN, publicKeyPem: PUBLIC_KEY_PEM, directory: directory.path });
  const stop = async (running: Server) => {
    running.closeAllConnections();
    await new Promise((resolve) => {
      running.close(resolve);
    });
  };
  let server = make();
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    get server() {
      return server;
    },
    directory: directory.path,
    lines: (tenantId) => {
      const text = readIfPresent(join(directory.path, `${tenantId}.jsonl`));
      return text === '' ? [] : text.trimEnd().split('\n');
    },
    restart: async () => {
      await stop(server);
      server = make();
      await listen(server, port);
    },
    close: async () => {
      await stop(server);
      await directory.remove();
    },
  };
}

export async function listen(server: Server, port = 0): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  // A server on TCP has an address of this shape.
  return (server.address() as AddressInfo).port;
}

/** The settings of a service that keeps evidence. */
export function evidenceEnv(url: string): Record<string, string> {
  return {
    KMS_EVIDENCE_ENABLED: 'true',
    AUDIT_SERVICE_URL: url,
    AUDIT_BEARER_TOKEN: BEARER_TOKEN,
    AUDIT_SBOM_SIGNING_PRIVATE_KEY_PEM: SIGNING_KEY_PEM,
  };
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}
