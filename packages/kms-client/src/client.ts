import { batch, type AnswerOf, type BatchOperation, type BatchResult, type InputOf } from './batch.ts';
import type { CallOptions } from './base/call-options.ts';
import { OPERATIONS } from './generated/operations.ts';
import { reencryptAll, type ReencryptResult } from './reencrypt-all.ts';
import type {
  ApiToken,
  ExportInventoryInput,
  GetInventoryInput,
  InventoryKey,
  Key,
  KmsOperations,
  ListKeysInput,
  ListTenantsInput,
  ListTokensInput,
  ReencryptInput,
  Tenant,
} from './generated/types.ts';
import { invalidArgument, KmsClientError, requireKnown } from './errors/kms-client-error.ts';
import type { Operation } from './generated/operations.ts';
import { checkBaseUrl } from './transport/base-url.ts';
import { bearer, type Credential, type TokenSource } from './transport/credential.ts';
import type { RetryPolicy } from './transport/retry.ts';
import { call, positive, stream, type TransportSettings } from './transport/transport.ts';
import { decodeAnswer } from './wire/decode-answer.ts';
import { encodeCall, type Input } from './wire/encode-call.ts';

/** How to reach the service, and as whom. */
export interface KmsClientOptions {
  /** Where the service is, such as `http://127.0.0.1:8095`, or the path of a gateway that leads to it. */
  readonly baseUrl: string | URL;
  /** The API token, or a function that returns it. */
  readonly token: TokenSource;
  /** The tenant of every call; only a platform credential needs to name one. */
  readonly tenantId?: string | undefined;
  /** How long one attempt may take, in milliseconds; default: 30,000. */
  readonly timeoutMs?: number | undefined;
  /** When calls are sent again: 4 attempts within 60,000 ms, with waits of up to 200 ms that double up to 5,000 ms. */
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** More headers of every call. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Whether the token may be sent over `http://` to another machine. */
  readonly allowInsecureHttp?: boolean | undefined;
  /** What sends the requests; default: the platform's `fetch`. */
  readonly fetch?: typeof fetch | undefined;
}

/** A client of the service: a method for each operation, and a few that combine several. */
export interface KmsClient extends KmsOperations {
  /** Every key that matches the filter, fetched page by page on demand. `limit` is the size of a page. */
  allKeys(filter?: Omit<ListKeysInput, 'cursor'>, options?: CallOptions): AsyncIterableIterator<Key, void, void>;
  /** Every API token of the tenant, fetched page by page on demand. `limit` is the size of a page. */
  allTokens(
    filter?: Omit<ListTokensInput, 'cursor'>,
    options?: CallOptions,
  ): AsyncIterableIterator<ApiToken, void, void>;
  /** Every tenant of the service, fetched page by page on demand. `limit` is the size of a page. */
  allTenants(
    filter?: Omit<ListTenantsInput, 'cursor'>,
    options?: CallOptions,
  ): AsyncIterableIterator<Tenant, void, void>;
  /** Every key of the inventory, fetched page by page on demand. `limit` is the size of a page. */
  allInventory(
    filter?: Omit<GetInventoryInput, 'cursor'>,
    options?: CallOptions,
  ): AsyncIterableIterator<InventoryKey, void, void>;
  /**
   * What `exportInventory` answers, as it comes: a bill of materials of any length in constant memory, as UTF-8. It may fail at any piece;
   * what came until then is incomplete. `timeoutMs` is how long the first piece and each further one may take.
   */
  streamInventory(input?: ExportInventoryInput, options?: CallOptions): AsyncIterableIterator<Uint8Array, void, void>;
  /**
   * Does a crypto operation on any number of items, in requests of at most 1,000 items and 8 MiB. The results are in
   * the order of the items; an item that fails is an error in its place.
   *
   * @throws KmsClientError when a request as a whole fails.
   */
  batch<Id extends BatchOperation>(
    operation: Id,
    items: readonly InputOf<Id>[],
    options?: CallOptions,
  ): Promise<readonly BatchResult<AnswerOf<Id>>[]>;
  /**
   * Encrypts any number of ciphertexts again, each under the newest version of its key or under another key; the plaintexts stay inside of the
   * service. The results come in the order of the items, of which no more is taken than is answered soon, so they may be endless. An item that
   * fails is an error in its place.
   *
   * @throws KmsClientError when a request as a whole fails: what was answered before it is done.
   */
  reencryptAll(
    items: Iterable<ReencryptInput> | AsyncIterable<ReencryptInput>,
    options?: CallOptions,
  ): AsyncIterableIterator<ReencryptResult, void, void>;
}

const DEFAULT_RETRY: RetryPolicy = { attempts: 4, deadlineMs: 60_000, baseDelayMs: 200, maxDelayMs: 5000 };
const DEFAULT_TIMEOUT_MS = 30_000;
const OPTIONS = ['baseUrl', 'token', 'tenantId', 'timeoutMs', 'retry', 'headers', 'allowInsecureHttp', 'fetch'];

/**
 * Creates a client. It holds no connections itself, so there is nothing to close; where the platform keeps connections
 * alive, they are reused.
 *
 * @throws KmsClientError `INVALID_ARGUMENT` for an invalid base URL or token.
 * @example
 * import { createKmsClient } from '@qnsp/kms-client';
 * const kms = createKmsClient({ baseUrl, token });
 * const { keyId } = await kms.createKey({ name: 'orders' });
 * const { ciphertext } = await kms.encrypt({ keyId, plaintext: new TextEncoder().encode('hello') });
 * const { plaintext } = await kms.decrypt({ ciphertext });
 * console.log(new TextDecoder().decode(plaintext)); // hello
 */
export function createKmsClient(options: KmsClientOptions): KmsClient {
  requireKnown(options, OPTIONS, 'createKmsClient');
  return clientOf(transportSettings(options, bearer(options.token)));
}

export function transportSettings(options: Omit<KmsClientOptions, 'token'>, credential: Credential): TransportSettings {
  const retry = { ...DEFAULT_RETRY, ...options.retry };
  requireKnown(retry, Object.keys(DEFAULT_RETRY), 'retry');
  for (const [name, value] of Object.entries(retry)) positive(name, value);
  return {
    baseUrl: checkBaseUrl(options.baseUrl, options.allowInsecureHttp ?? false),
    credential,
    // Browsers refuse a `fetch` called on anything but the global object.
    fetch: options.fetch ?? ((...request) => fetch(...request)),
    timeoutMs: positive('timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS),
    retry,
    headers: { ...options.headers, ...(options.tenantId === undefined ? {} : { 'x-qnsp-tenant': options.tenantId }) },
  };
}

export function clientOf(settings: TransportSettings): KmsClient {
  const methods = Object.entries<Operation>(OPERATIONS).map(([id, operation]) => [
    id,
    (input: Input = {}, options: CallOptions = {}) => callOperation(settings, operation, input, options),
  ]);
  // There is a method for each operation of the table, which is written from the same contract as the types.
  const operations = Object.fromEntries(methods) as KmsOperations;
  return {
    ...operations,
    allKeys: (filter = {}, options = {}) =>
      allItems((cursor) => operations.listKeys({ ...filter, ...cursor }, options)),
    allTokens: (filter = {}, options = {}) =>
      allItems((cursor) => operations.listTokens({ ...filter, ...cursor }, options)),
    allTenants: (filter = {}, options = {}) =>
      allItems((cursor) => operations.listTenants({ ...filter, ...cursor }, options)),
    allInventory: (filter = {}, options = {}) =>
      allItems((cursor) => operations.getInventory({ ...filter, ...cursor }, options)),
    streamInventory: (input = {}, options = {}) =>
      stream(settings, OPERATIONS.exportInventory, encodeCall(OPERATIONS.exportInventory, { ...input }), options),
    batch: (id, items, options = {}) => batch(settings, id, items, options),
    reencryptAll: (items, options = {}) => reencryptAll(settings, items, options),
  };
}

async function callOperation(
  settings: TransportSettings,
  operation: Operation,
  input: Input,
  options: CallOptions,
): Promise<unknown> {
  if (typeof input !== 'object' || input === null) throw invalidArgument('The input of a call must be an object.');
  return call(settings, operation, encodeCall(operation, input), options, (json) => decodeAnswer(operation, json));
}

/** The items of all pages of a list. */
async function* allItems<Item>(
  pageAt: (cursor: {
    readonly cursor?: string;
  }) => Promise<{ readonly items: readonly Item[]; nextCursor: string | null }>,
): AsyncGenerator<Item, void, void> {
  let cursor: string | undefined;
  do {
    const page = await pageAt(cursor === undefined ? {} : { cursor });
    yield* page.items;
    if (page.nextCursor !== null && page.nextCursor === cursor)
      throw new KmsClientError('UNEXPECTED_ANSWER', 'The next page of the list is the same page again.');
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}
