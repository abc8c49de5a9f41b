/** The members of a JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * A JSON object in which no member occurs twice, at any depth: parsers differ in which of the two they take, so that what one of
 * them checked is not what another one uses (RFC 7519, section 4). `undefined` for anything else.
 */
export function parseStrictObject(text: string): JsonObject | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  // Whatever JSON.parse takes for an object has members by their names.
  return hasRepeatedMember(text) ? undefined : (parsed as JsonObject);
}

/** What stands in JSON outside of white space and numbers: texts, and where objects and lists begin, go on and end. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Whether an object in well-formed JSON has two members of one name, however they are spelt. */
function hasRepeatedMember(text: string): boolean {
  /** The names in each object that is open; `null` for a list. */
  const open: (Set<string> | null)[] = [];
  let previous = '';
  let name: string | undefined;
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const names = open.at(-1);
      if (name !== undefined && names) {
        if (names.has(name)) return true;
        names.add(name);
      }
    } else if (token !== ',' && (previous === '{' || previous === ',')) name = String(JSON.parse(token));
    previous = token;
  }
  return false;
}
