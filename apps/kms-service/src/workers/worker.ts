import cluster from 'node:cluster';
import type { Registry } from 'prom-client';
import type { ToPrimary, ToWorker } from './messages.ts';

const WAIT_MS = 10_000;

/** Whether this process is the first to serve, and so the one to say what is said once. */
export function isFirstWorker(): boolean {
  return (cluster.worker?.id ?? 1) === 1;
}

/** Tells the process that started this one that it serves. Does nothing in a service of one process. */
export function reportStarted(): void {
  tell({ kind: 'started' });
}

/** How the metrics of the whole service are read in one of its processes. */
export function metricsReader(registry: Registry): () => Promise<string> {
  if (!cluster.isWorker) return () => registry.metrics();
  const waiting = new Map<number, (text: string) => void>();
  let ids = 0;
  // Nobody but the primary, which is this same program, can send to a worker.
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'metrics') waiting.get(message.id)?.(message.text);
    else if (message.kind === 'metrics-part-wanted') void answerPart(registry, message.id);
  });
  return () =>
    new Promise((resolve, reject) => {
      const id = ++ids;
      const limit = setTimeout(() => {
        waiting.delete(id);
        reject(new Error('the metrics of the other workers did not arrive in time'));
      }, WAIT_MS);
      waiting.set(id, (text) => {
        clearTimeout(limit);
        waiting.delete(id);
        resolve(text);
      });
      tell({ kind: 'metrics-wanted', id });
    });
}

async function answerPart(registry: Registry, id: number): Promise<void> {
  tell({ kind: 'metrics-part', id, metrics: await registry.getMetricsAsJSON() });
}

function tell(message: ToPrimary): void {
  process.send?.(message);
}
