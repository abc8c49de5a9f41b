import type { Kms } from '@qnsp/kms-core/internal';
import { Counter, type Registry } from 'prom-client';

/** Publishes how often keys were made and used against the crypto policy. */
export function observeCryptoPolicy(registry: Registry, { settings }: Pick<Kms, 'settings'>): void {
  const { cryptoPolicy } = settings;
  if (cryptoPolicy === undefined) return;
  const metric: Counter = new Counter({
    name: 'kms_crypto_policy_violations_total',
    help: 'Times that a key was to be made or used in a way that violates the crypto policy, by algorithm, act, and whether that was refused.',
    labelNames: ['algorithm', 'act', 'verdict'],
    registers: [registry],
    collect: () => {
      metric.reset();
      for (const { count, ...labels } of cryptoPolicy.counts) metric.inc(labels, count);
    },
  });
}
