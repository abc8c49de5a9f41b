/** The largest answer that is read: several times the largest possible page of keys. */
const MAX_ANSWER_BYTES = 64 * 2 ** 20;

/** The text of an answer, or `undefined` when it is too long or not UTF-8. */
export async function readText(response: Response): Promise<string | undefined> {
  if (response.body === null) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  // Node's types leave open what a body is made of; the standard says bytes.
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (!done) bytes += value.length;
    if (bytes > MAX_ANSWER_BYTES) {
      await reader.cancel();
      return undefined;
    }
    const piece = decode(decoder, value);
    if (piece === undefined) {
      await reader.cancel();
      return undefined;
    }
    text += piece;
    if (done) return text;
  }
}

/** `undefined` for what is not UTF-8; no value ends the text. */
function decode(decoder: TextDecoder, value: Uint8Array | undefined): string | undefined {
  try {
    return value === undefined ? decoder.decode() : decoder.decode(value, { stream: true });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** The value of a JSON text, or `undefined` when it is none. The parser's own error repeats its input. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
