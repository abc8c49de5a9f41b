const CHUNK = 0x8000;
const ALPHABET = /^[A-Za-z0-9+/]*={0,2}$/;

/** Padded standard base64 (RFC 4648, section 4). */
export function toBase64(data: Uint8Array): string {
  let binary = '';
  // In pieces: an argument list has a limit.
  for (let at = 0; at < data.length; at += CHUNK) binary += String.fromCharCode(...data.subarray(at, at + CHUNK));
  return btoa(binary);
}

/** The bytes of a strictly spelt base64 text, `undefined` for any other: no white space, no base64url, no stray bits. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0 || !ALPHABET.test(text)) return undefined;
  const binary = atob(text);
  const last = text.slice(-4);
  // Only the last group can have bits after its last byte (RFC 4648, section 3.5).
  if (last !== '' && btoa(atob(last)) !== last) return undefined;
  const data = new Uint8Array(binary.length);
  for (let at = 0; at < data.length; at += 1) data[at] = binary.charCodeAt(at);
  return data;
}
