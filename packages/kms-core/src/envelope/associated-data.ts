/** The encryption context: names and values that the caller must present again to decrypt. */
export type EncryptionContext = Readonly<Record<string, string>>;

/** Marks associated data given as bytes (wrap), a count that no context of strings can have. */
const BYTES_MARKER = 0xffffffff;
/** The bytes of a context without entries. */
export const NO_CONTEXT = Buffer.alloc(4);

/**
 * The bytes of a context of strings: the number of entries, then each name and value with its length (four bytes,
 * big-endian), names in the order of their UTF-8 bytes. The same entries give the same bytes in any order.
 */
export function encodeContext(context: EncryptionContext | undefined): Buffer {
  if (context === undefined) return NO_CONTEXT;
  const entries = Object.entries(context).map(
    ([name, value]) => [Buffer.from(name, 'utf8'), Buffer.from(value, 'utf8')] as const,
  );
  if (entries.length === 0) return NO_CONTEXT;
  entries.sort(([a], [b]) => Buffer.compare(a, b));
  const parts: Uint8Array[] = [uint32(entries.length)];
  for (const [name, value] of entries) parts.push(uint32(name.length), name, uint32(value.length), value);
  return Buffer.concat(parts);
}

/**
 * The bytes of the associated data of `wrap`. Never equal to those of a context, so that a wrapped key cannot be opened
 * by `decrypt`, nor a ciphertext by `unwrap`: the two are different permissions.
 */
export function encodeWrapData(associatedData: Uint8Array | undefined): Buffer {
  const data = associatedData ?? Buffer.alloc(0);
  return Buffer.concat([uint32(BYTES_MARKER), uint32(data.length), data]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
