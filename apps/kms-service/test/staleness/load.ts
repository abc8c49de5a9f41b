import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, send } from '../local-service.ts';
import type { Fleet } from './fleet.ts';

/** One answer, by when it was asked for and when it came, in milliseconds of `performance.now()`. */
export interface Sample {
  readonly node: number;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly status: number;
  /** It succeeded as if nothing had changed. */
  readonly asBefore: boolean;
}

/** A use of a key, or of a token, that is allowed until the change of the round, or is another one after it. */
export interface Use {
  /** Whether a success is one from before the change; without it every one is. */
  isOld?(body: Answer['body']): boolean;
  readonly path: string;
  readonly body: object;
  readonly token: string;
}

const CLIENTS_PER_NODE = 3;
/** Between two requests of one client: the test shares its machine with the nodes. */
const PAUSE_MS = 3;

/** Uses a key on every node without an end, and notes each answer. */
export function startLoad(fleet: Fleet, use: Use): { readonly samples: Sample[]; stop(): Promise<void> } {
  const samples: Sample[] = [];
  const stopping = new AbortController();
  const client = async (node: number, url: string) => {
    while (!stopping.signal.aborted) {
      const sentAt = performance.now();
      const { status, body } = await send(url, 'POST', use.token, use.body);
      const asBefore = status === 200 && (use.isOld?.(body) ?? true);
      samples.push({ node, sentAt, answeredAt: performance.now(), status, asBefore });
      await sleep(PAUSE_MS);
    }
  };
  const clients = fleet.nodes.flatMap(({ service }, node) =>
    Array.from({ length: CLIENTS_PER_NODE }, () => client(node, `${service.baseUrl}${use.path}`)),
  );
  return {
    samples,
    stop: async () => {
      stopping.abort();
      await Promise.all(clients);
    },
  };
}
