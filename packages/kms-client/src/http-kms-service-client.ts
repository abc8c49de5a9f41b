import { clientOf, type KmsClient, type KmsClientOptions, transportSettings } from './client.ts';
import { STANDARD_NAMES } from './generated/algorithms.ts';
import { invalidArgument } from './errors/kms-client-error.ts';
import { bearer, wholeHeader } from './transport/credential.ts';
import { fromBase64, toBase64 } from './wire/base64.ts';

/** The key that is wrapped, and the key that wraps it. */
export interface WrapKeyInput {
  readonly tenantId: string;
  readonly keyId: string;
  /** The key to wrap, as base64. */
  readonly dataKey: string;
  /** As base64. */
  readonly associatedData?: string | undefined;
}

/** A wrapped key, and what wrapped it. */
export interface WrapKeyResult {
  readonly keyId: string;
  /** As base64. */
  readonly wrappedKey: string;
  readonly algorithm: string;
  readonly algorithmNist: string;
  readonly provider: string;
}

/** The wrapped key. */
export interface UnwrapKeyInput {
  readonly tenantId: string;
  readonly keyId: string;
  /** As base64. */
  readonly wrappedKey: string;
  /** As base64. */
  readonly associatedData?: string | undefined;
  readonly providerHint?: string | undefined;
}

/** What wraps and unwraps keys for code that was written to this shape. */
export interface KmsServiceClient {
  wrapKey(input: WrapKeyInput): Promise<WrapKeyResult>;
  unwrapKey(input: UnwrapKeyInput): Promise<{ readonly dataKey: string }>;
}

/** Gives the whole `Authorization` header, such as `Bearer …`. */
export interface AuthHeaderSource {
  readonly getAuthHeader: () => string | undefined | Promise<string | undefined>;
}

/**
 * The service under the shape of earlier clients: base64 texts instead of bytes. New code should use `createKmsClient`.
 *
 * @example
 * import { createKmsClient, HttpKmsServiceClient } from '@qnsp/kms-client';
 * const { keyId, tenantId } = await createKmsClient({ baseUrl, token }).createKey({ name: 'wrapping' });
 * const kms = new HttpKmsServiceClient(baseUrl, token);
 * const { wrappedKey } = await kms.wrapKey({ tenantId, keyId, dataKey: btoa('0123456789abcdef') });
 * const { dataKey } = await kms.unwrapKey({ tenantId, keyId, wrappedKey });
 * console.log(atob(dataKey)); // 0123456789abcdef
 */
export class HttpKmsServiceClient implements KmsServiceClient {
  readonly #client: KmsClient;

  constructor(
    baseUrl: string,
    auth: string | AuthHeaderSource,
    options: Omit<KmsClientOptions, 'baseUrl' | 'token'> = {},
  ) {
    const credential = typeof auth === 'string' ? bearer(auth) : wholeHeader(() => auth.getAuthHeader());
    this.#client = clientOf(transportSettings({ ...options, baseUrl }, credential));
  }

  /** Wraps a key under the current version of another; both keys are base64. */
  async wrapKey({ tenantId, keyId, dataKey, associatedData }: WrapKeyInput): Promise<WrapKeyResult> {
    const answer = await this.#client.wrap({
      tenantId,
      keyId,
      dataKey: decode('dataKey', dataKey),
      ...(associatedData === undefined ? {} : { associatedData: decode('associatedData', associatedData) }),
    });
    const names: Readonly<Record<string, string>> = STANDARD_NAMES;
    return {
      keyId: answer.keyId,
      wrappedKey: toBase64(answer.wrappedKey),
      algorithm: answer.algorithm,
      algorithmNist: names[answer.algorithm] ?? answer.algorithm,
      provider: answer.provider,
    };
  }

  /** Opens what `wrapKey` made. */
  async unwrapKey(input: UnwrapKeyInput): Promise<{ readonly dataKey: string }> {
    const { tenantId, keyId, wrappedKey, associatedData, providerHint } = input;
    const answer = await this.#client.unwrap({
      tenantId,
      keyId,
      wrappedKey: decode('wrappedKey', wrappedKey),
      ...(associatedData === undefined ? {} : { associatedData: decode('associatedData', associatedData) }),
      ...(providerHint === undefined ? {} : { providerHint }),
    });
    return { dataKey: toBase64(answer.dataKey) };
  }
}

function decode(name: string, text: string): Uint8Array {
  const data = typeof text === 'string' ? fromBase64(text) : undefined;
  if (data === undefined) throw invalidArgument(`${name} must be padded standard base64 (RFC 4648, section 4).`);
  return data;
}
