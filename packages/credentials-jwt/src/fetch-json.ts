import { type JsonObject, parseStrictObject } from './strict-json.ts';

const TIMEOUT_MS = 5000;
const MOST_BYTES = 512 * 1024;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Whether what comes from a URL is what its host sent: https, or http that does not leave this machine. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname));
}

/** Fetches a JSON object, within 5 seconds and 512 KiB, from this very URL: a redirect fails. Throws an `Error` otherwise. */
export async function fetchJson(url: URL): Promise<JsonObject> {
  const response = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`${url.origin} answers ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  if (body !== null)
    for await (const chunk of body) {
      bytes += chunk.length;
      // Leaving the loop gives the rest back.
      if (bytes > MOST_BYTES) throw new Error(`${url.origin} answers more than ${MOST_BYTES} bytes`);
      chunks.push(chunk);
    }
  const parsed = parseStrictObject(Buffer.concat(chunks).toString());
  if (parsed === undefined) throw new Error(`${url.origin} does not answer a JSON object`);
  return parsed;
}
