import { randomBytes, randomUUID } from 'node:crypto';
import type { FaultyModule } from '@qnsp/test-harness';
import type { Algorithm } from '@qnsp/kms-core';
import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import type { KeyEngine } from '@qnsp/kms-core/engines';
import { expect } from 'vitest';
import type { Hsm } from '../src/index.ts';
import { makeFaultyModule, makeToken, openWithRoot } from './tokens.ts';

export const aad = Buffer.from('aad');
export const unavailable = { code: 'HSM_UNAVAILABLE', retryAfterSeconds: expect.any(Number) };

/** An HSM with a root, behind a module that makes no faults yet, on a clock that only the test moves. */
export async function openFaulty(config: Parameters<typeof openWithRoot>[1] = {}) {
  const token = await makeToken();
  const module = makeFaultyModule(token);
  const clock = { now: 0 };
  const hsm = await openWithRoot(token, config, { module, now: () => clock.now });
  const key = randomBytes(32);
  const wrapped = await hsm.root.wrap(Buffer.from(key), aad);
  module.forget();
  return { token, module, clock, hsm, key, wrapped };
}

export async function residentEngine(hsm: Hsm, id: string): Promise<KeyEngine> {
  const algorithm: Algorithm | undefined = ALGORITHMS.find((candidate) => candidate.id === id);
  if (algorithm === undefined) throw new Error(`no algorithm ${id}`);
  const name = { tenantId: randomUUID(), keyId: randomUUID(), version: 1 };
  const { handle, publicKey } = await hsm.resident.generate(algorithm, name);
  return hsm.resident.engine(algorithm, handle, publicKey);
}

/** Moves the clock past every pause and lets one call through. */
export async function recover(
  clock: { now: number },
  module: FaultyModule,
  call: () => Promise<unknown>,
): Promise<void> {
  module.rules();
  clock.now += 60_000;
  await expect(call()).resolves.toBeDefined();
}
