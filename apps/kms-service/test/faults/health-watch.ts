import { setTimeout as sleep } from 'node:timers/promises';

/** What a probe was answered; times are those of `performance.now()`. */
interface ProbeAnswer {
  readonly askedAt: number;
  readonly status: number;
  readonly durationMs: number;
}

/** What the probes of a service were answered while it was watched. */
export interface HealthWatch {
  readonly livez: ProbeAnswer[];
  readonly readyz: ProbeAnswer[];
  stop(): Promise<void>;
}

const PAUSE_MS = 100;

/** Asks a service again and again whether it lives and whether it is ready, as a supervisor and a load balancer do. */
export function watchHealth(baseUrl: string): HealthWatch {
  let stopped = false;
  const watch = async (path: string, seen: ProbeAnswer[]): Promise<void> => {
    while (!stopped) {
      const askedAt = performance.now();
      const response = await fetch(`${baseUrl}${path}`);
      await response.arrayBuffer();
      seen.push({ askedAt, status: response.status, durationMs: performance.now() - askedAt });
      await sleep(PAUSE_MS);
    }
  };
  const [livez, readyz]: [HealthWatch['livez'], HealthWatch['readyz']] = [[], []];
  const watches = Promise.all([watch('/livez', livez), watch('/readyz', readyz)]);
  watches.catch(() => undefined);
  return {
    livez,
    readyz,
    async stop() {
      stopped = true;
      await watches;
    },
  };
}
