import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { EvidenceBatch } from '@qnsp/kms-core';
import { guardedLookup } from './audit-address.ts';

/** Which audit service takes the batches, and how it is reached. */
export interface DeliveryClientOptions {
  /** Where the audit service is; `/audit/v1/kms-evidence` is below it. */
  readonly url: URL;
  readonly bearerToken: string;
  /** Names that may lead to private addresses. */
  readonly allowedHosts: ReadonlySet<string>;
  /** The certificate authority of the audit service in PEM; default: those of the system. */
  readonly caPem?: string;
  /** How long one delivery may take; default: 10,000. */
  readonly timeoutMs?: number;
}

/** The outcome of one attempt. */
export type DeliveryAnswer =
  | { readonly kind: 'accepted' }
  /** It will never be accepted as it is. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It may be accepted later, or was accepted and the answer was lost. */
  | {
      readonly kind: 'failed';
      readonly reason: string;
      readonly retryAfterSeconds: number | null;
      /** The status of a refusal that does not name the batch; it will recur if it came from the audit service. */
      readonly unnamedRefusal?: number;
    };

/** Makes one attempt, which ends early as failed if it is aborted. */
export type Deliver = (batch: EvidenceBatch, aborted: AbortSignal) => Promise<DeliveryAnswer>;

const PATH = 'audit/v1/kms-evidence';
/**
 * What says that the request itself is wrong, when the answer names the batch: a proxy or a firewall in between gives
 * the same statuses. Anything else may pass, or be fixed by an operator.
 */
const REFUSED: ReadonlySet<number> = new Set([400, 409, 413, 415, 422]);
/** Those of the global agents. */
const AGENT_OPTIONS = { keepAlive: true, scheduling: 'lifo', timeout: 5000 } as const;
const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_RETRY_AFTER_SECONDS = 3600;

/** Sends batches to the audit service itself, never through a proxy. Follows no redirect, and verifies the certificate. */
export function deliveryClient(options: DeliveryClientOptions): Deliver {
  const base = options.url.href.endsWith('/') ? options.url.href : `${options.url.href}/`;
  const url = new URL(PATH, base);
  // A separate one: the global one takes a proxy from the environment (NODE_USE_ENV_PROXY), which would get the token
  // of what goes to this machine, and would resolve the name of the audit service itself, bypassing the allowed
  // addresses.
  const agent = new (url.protocol === 'https:' ? HttpsAgent : HttpAgent)(AGENT_OPTIONS);
  return async (batch, aborted) => {
    try {
      const { response, text } = await post(
        url,
        agent,
        options,
        aborted,
        deliveryBody(batch),
        batch.checkpoint.checkpointId,
      );
      return answerOf(response, text, batch.checkpoint.checkpointId);
    } catch (error) {
      // Every way in which a connection fails means the same: try again.
      return { kind: 'failed', reason: reasonOf(error), retryAfterSeconds: null };
    }
  };
}

/**
 * Why the audit service cannot be delivered to, `undefined` if nothing speaks against it. Delivers nothing: it asks for
 * what deliveries are sent to, and any answer will do that neither refuses the credential nor comes from a server in
 * trouble.
 */
export async function auditServiceProblem(options: DeliveryClientOptions): Promise<string | undefined> {
  const { url } = options;
  const target = new URL(PATH, url.href.endsWith('/') ? url.href : `${url.href}/`);
  const agent = new (url.protocol === 'https:' ? HttpsAgent : HttpAgent)();
  try {
    const message = { method: 'GET', headers: {} };
    const { response } = await send(target, agent, options, new AbortController().signal, message);
    const status = response.statusCode ?? 0;
    if (status === 401 || status === 403) return `refuses the credential with ${status}`;
    return status >= 500 ? `answers ${status}` : undefined;
  } catch (error) {
    return `cannot be reached (${reasonOf(error)})`;
  } finally {
    agent.destroy();
  }
}

/** The body of a delivery: the events of a batch and the checkpoint that signs them. */
export function deliveryBody({ events, checkpoint }: EvidenceBatch): string {
  return JSON.stringify({ batchId: checkpoint.checkpointId, checkpoint, events });
}

function post(
  url: URL,
  agent: HttpAgent,
  options: DeliveryClientOptions,
  aborted: AbortSignal,
  body: string,
  batchId: string,
) {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'idempotency-key': batchId,
  };
  return send(url, agent, options, aborted, { method: 'POST', headers, body });
}

interface Message {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: string;
}

function send(
  url: URL,
  agent: HttpAgent,
  options: DeliveryClientOptions,
  aborted: AbortSignal,
  { method, headers, body }: Message,
) {
  return new Promise<{ response: IncomingMessage; text: string }>((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const outgoing = (secure ? httpsRequest : httpRequest)(
      url,
      {
        agent,
        method,
        headers: { authorization: `Bearer ${options.bearerToken}`, ...headers },
        lookup: guardedLookup(options.allowedHosts),
        signal: AbortSignal.any([aborted, AbortSignal.timeout(options.timeoutMs ?? 10_000)]),
        ...(secure ? { rejectUnauthorized: true } : {}),
        ...(options.caPem === undefined ? {} : { ca: options.caPem }),
      },
      (response) => {
        readText(response).then((text) => resolve({ response, text }), reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  if (!response.complete) throw new Error('the answer was cut off');
  return Buffer.concat(chunks).toString('utf8');
}

function answerOf(response: IncomingMessage, text: string, batchId: string): DeliveryAnswer {
  const status = response.statusCode ?? 0;
  const answer = jsonObject(text);
  if (REFUSED.has(status) && answer?.['batchId'] === batchId)
    return { kind: 'refused', reason: `the audit service answered ${status}` };
  if (status < 200 || status > 299) {
    const retryAfterSeconds = retryAfter(response.headers['retry-after']);
    const failed = { kind: 'failed', reason: `the audit service answered ${status}`, retryAfterSeconds } as const;
    return REFUSED.has(status) ? { ...failed, unnamedRefusal: status } : failed;
  }
  // A page from some proxy in between is not an acceptance, and neither is an answer about another batch.
  const acknowledged = answer !== undefined && (!('batchId' in answer) || answer['batchId'] === batchId);
  if (acknowledged || text.trim() === '') return { kind: 'accepted' };
  return { kind: 'failed', reason: 'the answer is not one of the audit service', retryAfterSeconds: null };
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** The wait that the answer asks for (RFC 9110, section 10.2.3), at most an hour. */
function retryAfter(header: string | undefined): number | null {
  if (header === undefined) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(MAX_RETRY_AFTER_SECONDS, Math.max(0, seconds)) : null;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
