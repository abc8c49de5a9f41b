/**
 * A record as text, and back, with every byte, instant and member as it was. Lists, bytes and instants become lists that begin
 * with what they are, so nothing in the metadata of a key can be taken for one of them.
 */
export function toText(record: unknown): string {
  return JSON.stringify(tagged(record));
}

/** What {@link toText} was given. */
export function fromText(text: unknown): unknown {
  return untagged(JSON.parse(String(text)));
}

function tagged(value: unknown): unknown {
  if (value instanceof Uint8Array) return ['bytes', Buffer.from(value).toString('base64')];
  if (value instanceof Date) return ['instant', value.getTime()];
  if (Array.isArray(value)) return ['list', ...value.map(tagged)];
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, tagged(member)]));
}

function untagged(value: unknown): unknown {
  if (Array.isArray(value)) {
    const [kind, ...parts] = value as readonly unknown[];
    if (kind === 'bytes') return Uint8Array.from(Buffer.from(String(parts[0]), 'base64'));
    if (kind === 'instant') return new Date(Number(parts[0]));
    return parts.map(untagged);
  }
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, untagged(member)]));
}
