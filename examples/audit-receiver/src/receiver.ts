import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { batchProblem, checkpointVerifier, readDelivery } from '@qnsp/kms-audit';
import { EvidenceFiles } from './evidence-files.ts';

export interface ReceiverOptions {
  readonly bearerToken: string;
  /** The public key that the service signs with, in PEM: several one behind the other after a change. */
  readonly publicKeyPem: string;
  readonly directory: string;
}

const PATH = '/audit/v1/kms-evidence';
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * A server that takes `POST /audit/v1/kms-evidence`, verifies each batch and stores it once. `GET /health` is answered
 * without a token.
 */
export function makeReceiver(options: ReceiverOptions): Server {
  const files = new EvidenceFiles(options.directory);
  const verifiers = publicKeysIn(options.publicKeyPem).map(checkpointVerifier);
  const answer = async (request: IncomingMessage): Promise<[status: number, body: object]> => {
    if (request.method === 'GET' && request.url === '/health') return [200, { status: 'ok' }];
    if (request.method !== 'POST' || request.url !== PATH) return [404, { error: 'There is nothing here.' }];
    if (!isToken(request.headers.authorization, options.bearerToken)) return [401, { error: 'Wrong token.' }];
    // The sender takes a batch for refused only when the answer names it: so it cannot be one of a proxy in between.
    const refusal = (status: number, error: string): [number, object] => [
      status,
      { batchId: request.headers['idempotency-key'], error },
    ];
    const body = await readBody(request);
    if (body === undefined) return refusal(413, 'The body is too large.');
    const batch = readDelivery(parseJson(body));
    if (batch === undefined) return refusal(400, 'The body is no delivery of evidence.');
    const [problem, ...others] = verifiers.map((verifier) => batchProblem(batch, verifier));
    if (problem !== undefined && !others.includes(undefined))
      return refusal(422, `The batch is not what was signed: ${problem}.`);
    const stored = files.store(batch);
    if (stored === 'contradicts what is stored') return refusal(409, `The batch ${stored}.`);
    const { checkpointId: batchId, tenantId, firstSequence } = batch.checkpoint;
    if (stored === 'stored after a gap')
      process.stderr.write(`evidence is missing before event ${firstSequence} of the tenant ${tenantId}\n`);
    return [200, { batchId, events: batch.events.length, stored }];
  };
  return createServer((request, response) => {
    answer(request).then(
      ([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
      (error: unknown) => {
        process.stderr.write(`a delivery failed: ${String(error)}\n`);
        response.writeHead(500).end();
      },
    );
  });
}

/** The keys of a PEM file; anything that is not PEM is left to the reader of the key, which reports it. */
function publicKeysIn(pem: string): readonly string[] {
  const keys = pem.split(/(?=-----BEGIN )/).filter((part) => part.startsWith('-----BEGIN '));
  return keys.length === 0 ? [pem] : keys;
}

function isToken(authorization: string | undefined, token: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(authorization ?? ''), hash(`Bearer ${token}`));
}

/** The body, `undefined` when it is too large: it is read to its end then as well, because who still sends takes no answer. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return bytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
