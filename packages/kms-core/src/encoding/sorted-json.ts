/**
 * JSON with the members of every object in the order of their names: the same value gives the same text, also after
 * the database has stored it as `jsonb`, which reorders members.
 */
export function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
