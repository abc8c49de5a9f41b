import { batch, type BatchResult, type InputOf } from './batch.ts';
import type { CallOptions } from './base/call-options.ts';
import { KmsClientError } from './errors/kms-client-error.ts';
import type { EncryptAnswer, ReencryptInput } from './generated/types.ts';
import { pause, retryDelayMs } from './transport/retry.ts';
import type { TransportSettings } from './transport/transport.ts';

/** How many ciphertexts are on their way at a time, and how many bytes of them: what is held in memory. */
const MOST_ITEMS = 500;
const MOST_BYTES = 2 ** 20;

/** One after the other, as they come in and in their order. */
export type ReencryptResult = BatchResult<EncryptAnswer>;

/**
 * Encrypts many ciphertexts again, each under the newest version of its key or under another key, and answers in their order. Takes no more
 * from the items than it answers soon. An item that fails is an error in its place, and does not affect the others; one that fails in a way
 * that may pass is tried again, as often as a call is in which nothing else is done.
 *
 * @throws KmsClientError when a request as a whole fails.
 */
export async function* reencryptAll(
  settings: TransportSettings,
  items: Iterable<ReencryptInput> | AsyncIterable<ReencryptInput>,
  options: CallOptions,
): AsyncGenerator<ReencryptResult, void, void> {
  let part: ReencryptInput[] = [];
  let bytes = 0;
  for await (const item of items) {
    part.push(item);
    bytes += item.ciphertext.length;
    if (part.length < MOST_ITEMS && bytes < MOST_BYTES) continue;
    yield* await reencryptPart(settings, part, options);
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield* await reencryptPart(settings, part, options);
}

async function reencryptPart(
  settings: TransportSettings,
  items: readonly InputOf<'reencrypt'>[],
  options: CallOptions,
): Promise<readonly ReencryptResult[]> {
  const attempts = options.attempts ?? settings.retry.attempts;
  const results = [...(await batch(settings, 'reencrypt', items, options))];
  let before = items.length + 1;
  /** In a row, in which nothing was done: a limit of rates lets some through each time. */
  let failures = 0;
  for (;;) {
    const again = [...results.entries()].flatMap(([index, result]) => (mayPass(result) ? [index] : []));
    failures = again.length < before ? 1 : failures + 1;
    if (again.length === 0 || failures >= attempts) return results;
    before = again.length;
    const waits = again.map((index) => retryAfterOf(results[index]));
    await pause(retryDelayMs(failures, Math.max(...waits), settings.retry, Math.random), options.signal);
    const inputs = again.flatMap((index) => items[index] ?? []);
    const answers = await batch(settings, 'reencrypt', inputs, options);
    for (const [at, index] of again.entries()) results[index] = answers[at] ?? neverAnswered();
  }
}

function mayPass(result: ReencryptResult): boolean {
  return !result.ok && result.error.retryable;
}

/** In seconds. Items have no headers: what a limit of rates asks for is in their details. */
function retryAfterOf(result: ReencryptResult | undefined): number {
  if (result === undefined || result.ok) return 0;
  const { retryAfterSeconds, details } = result.error;
  const asked = retryAfterSeconds ?? details?.['retryAfter'];
  return typeof asked === 'number' ? asked : 0;
}

function neverAnswered(): ReencryptResult {
  return { ok: false, error: new KmsClientError('UNEXPECTED_ANSWER', 'The answer lacks the result of an item.') };
}
