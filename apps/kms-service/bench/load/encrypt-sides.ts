import { randomBytes } from 'node:crypto';
import type { Side } from './compare-cpu.ts';
import { type BenchService, startBenchService, startFloor } from './start-sides.ts';
import { openTarget, postOf } from './target.ts';

/** How many requests are under way at once, one on each connection. */
export const CONCURRENCY = 32;
const PLAINTEXT = randomBytes(32).toString('base64');

/** A side that encrypts 32 bytes, and can be ended. */
export interface EncryptSide extends Side {
  stop(): Promise<void>;
}

/** The bare server. */
export async function floorSide(): Promise<EncryptSide> {
  const service = await startFloor();
  const target = await openTarget(service.port, CONCURRENCY);
  return {
    service,
    target,
    request: postOf('/encrypt', { plaintext: PLAINTEXT }),
    stop: async () => {
      target.close();
      await service.stop();
    },
  };
}

/** The service as in production, with a key of its own that is in memory after the first request. */
export async function serviceSide(
  serverUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<EncryptSide & { readonly service: BenchService }> {
  const service = await startBenchService(serverUrl, env);
  const key = await service.createKey();
  const target = await openTarget(service.port, CONCURRENCY);
  return {
    service,
    target,
    request: postOf(`/kms/v1/keys/${key}/encrypt`, { plaintext: PLAINTEXT }, service.token),
    stop: async () => {
      target.close();
      await service.stop();
    },
  };
}
