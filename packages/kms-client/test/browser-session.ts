import { createEnvelope } from '../src/envelope/index.ts';
import { createKmsClient, KmsClientError } from '../src/index.ts';

/** What a session gave, as it can be sent from a page or a worker. */
export interface Session {
  readonly opened: string;
  readonly isSame: boolean;
  readonly refusal: string;
  /** Where it ran. */
  readonly scope: string;
}

/** Goes through what a page or a worker does with the client. Nothing in it is of Node.js. */
export async function session(baseUrl: string, token: string): Promise<Session> {
  const kms = createKmsClient({ baseUrl, token });
  const { keyId } = await kms.createKey({ name: 'of a browser' });
  const { ciphertext } = await kms.encrypt({ keyId, plaintext: new TextEncoder().encode('from a browser') });
  const { plaintext } = await kms.decrypt({ ciphertext });
  const envelope = createEnvelope(kms, { cache: { maxAgeMs: 60_000, maxUses: 10 } });
  // Two segments, of which the second is not full.
  const data = Uint8Array.from({ length: 1_500_000 }, (_, at) => at * 7);
  const opened = await envelope.decrypt(await envelope.encrypt(data, { keyId, context: { of: 'session' } }), {
    context: { of: 'session' },
  });
  const refused: unknown = await createKmsClient({ baseUrl, token: 'wrong' })
    .listKeys()
    .catch((error: unknown) => error);
  return {
    opened: new TextDecoder().decode(plaintext),
    isSame: opened.length === data.length && opened.every((byte, at) => byte === data[at]),
    refusal: refused instanceof KmsClientError ? String(refused.code) : 'none',
    scope: Object.prototype.toString.call(globalThis),
  };
}
