import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** One request of a load and what came of it. */
export interface Outcome {
  /** 0 when no answer came. */
  readonly status: number;
  readonly requestId: string;
  readonly milliseconds: number;
}

export interface Load {
  readonly baseUrl: () => string;
  readonly path: string;
  readonly token: string;
  readonly body: string;
  readonly concurrency: number;
  /** Names the requests: they are `prefix-0`, `prefix-1` and so on. */
  readonly prefix: string;
  /** Whether there should be another request, after so many were answered with success. */
  readonly more: (answered: number) => boolean;
}

/** Sends requests over as many connections at once, each as soon as the one before it is answered. */
export async function runLoad(load: Load): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.concurrency });
  const outcomes: Outcome[] = [];
  let sent = 0;
  let answered = 0;
  const work = async () => {
    while (load.more(answered)) {
      const requestId = `${load.prefix}-${sent}`;
      sent += 1;
      const started = performance.now();
      const status = await post(agent, load, requestId);
      outcomes.push({ status, requestId, milliseconds: performance.now() - started });
      if (status === 200) answered += 1;
      // A client waits a moment before it tries a service again that was not there.
      if (status === 0 || status === 503) await sleep(50);
    }
  };
  await Promise.all(Array.from({ length: load.concurrency }, work));
  agent.destroy();
  return outcomes;
}

function post(agent: Agent, { baseUrl, path, token, body }: Load, requestId: string): Promise<number> {
  return new Promise((resolve) => {
    const outgoing = request(
      `${baseUrl()}${path}`,
      {
        agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'x-request-id': requestId,
        },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.complete ? (response.statusCode ?? 0) : 0));
        response.on('error', () => resolve(0));
      },
    );
    // A connection that is cut is what some of these loads are about.
    outgoing.on('error', () => resolve(0));
    outgoing.end(body);
  });
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** How many events wait to be sealed or delivered; 0 where no evidence is kept. */
export async function waitingEvents(service: { readonly baseUrl: string }): Promise<number> {
  const text = await (await fetch(`${service.baseUrl}/metrics`)).text();
  return [...text.matchAll(/^kms_evidence_waiting_events\{.*\} (\d+)$/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}
