import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '@qnsp/test-harness';
import { type Answer, send } from '../local-service.ts';
import { type Asked, asked } from './asked.ts';
import type { Fleet } from './fleet.ts';

/** What one answer said, and when. */
export interface Sample extends Omit<Asked<unknown>, 'answer'> {
  readonly node: number;
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
  /** Sends it; default: with the token. */
  send?(url: string): Promise<Pick<Answer, 'status' | 'body'>>;
}

const CLIENTS_PER_NODE = 3;
/** Between two requests of one client: the test shares its machine with the nodes. */
const PAUSE_MS = 3;

/** Uses a key on every node without an end, and notes each answer. */
export function startLoad(fleet: Fleet, use: Use): { readonly samples: Sample[]; stop(): Promise<void> } {
  const samples: Sample[] = [];
  const stopping = new AbortController();
  const client = async (node: number, service: Service) => {
    const url = `${service.baseUrl}${use.path}`;
    while (!stopping.signal.aborted) {
      const { answer, ...times } = await asked(
        service,
        () => use.send?.(url) ?? send(url, 'POST', use.token, use.body),
      );
      const asBefore = answer.status === 200 && (use.isOld?.(answer.body) ?? true);
      samples.push({ node, ...times, status: answer.status, asBefore });
      await sleep(PAUSE_MS);
    }
  };
  const clients = fleet.nodes.flatMap(({ service }, node) =>
    Array.from({ length: CLIENTS_PER_NODE }, () => client(node, service)),
  );
  return {
    samples,
    stop: async () => {
      stopping.abort();
      await Promise.all(clients);
    },
  };
}
